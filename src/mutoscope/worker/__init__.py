"""What moves a job from stage to stage: one file per stage, and a loop that claims what is due."""
