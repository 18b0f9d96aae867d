"""fal's queue (https://fal.ai/docs/api-reference/inference-api): one interface to many models, each with its own fields.

An order is queued and answered with addresses to ask. "Completed" says only that fal is done with a request: whether it
was made is in the words beside it, or in the answer to the question for its result.
"""
