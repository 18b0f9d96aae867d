"""What can be done with models that are gone, and with calls of providers, on both stores at once."""

from hypothesis import strategies as st
from hypothesis.stateful import rule
from twins import Pair, texts

from mutoscope.domain.generation import ProviderJob
from mutoscope.domain.ids import SECOND

model_ids = st.sampled_from(["local/dream", "fal/wan", "a:b", "a"]) | texts
providers, references = st.sampled_from(["fal", "a.b", "$x"]), st.sampled_from(["gen_1", "gen_2"])
named = st.none() | st.builds(
    ProviderJob, id=texts, reference=references, data=st.dictionaries(st.sampled_from(["url", "a.b"]), texts)
)
upstreams = st.sampled_from(["wan", "b:c", ""]) | texts


class ModelRules(Pair):
    """The port's groups of models and of hooks."""

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

    @rule(provider=providers, delivery=st.sampled_from(["1", "2"]) | texts, reference=references, job=named)
    def record(self, provider: str, delivery: str, reference: str, job: ProviderJob | None) -> None:
        now = self.now()
        self.ask(lambda store: store.hooks.record(provider, delivery, reference, now, job))
        self.ask(lambda store: store.hooks.job(provider, reference))

    @rule(age=st.sampled_from([0, SECOND, 20 * SECOND]))
    def prune_calls(self, age: int) -> None:
        before = self.clock.now() - age
        self.ask(lambda store: store.hooks.prune(before))
