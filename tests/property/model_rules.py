"""What can be done with models that are gone, on both stores at once."""

from hypothesis import strategies as st
from hypothesis.stateful import rule
from twins import Pair, texts

model_ids = st.sampled_from(["local/dream", "fal/wan", "a:b", "a"]) | texts
upstreams = st.sampled_from(["wan", "b:c", ""]) | texts


class ModelRules(Pair):
    """The port's group of models."""

    @rule(model=model_ids, upstream=upstreams, why=texts)
    def retire(self, model: str, upstream: str, why: str) -> None:
        now = self.now()
        self.ask(lambda store: store.models.retire(model, upstream, why, now))

    @rule(model=model_ids)
    def restore_model(self, model: str) -> None:
        now = self.now()
        self.ask(lambda store: store.models.restore(model, now))

    @rule()
    def retired(self) -> None:
        self.ask(lambda store: store.models.retired())
