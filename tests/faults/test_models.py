"""Models of strangers: what their folders say is looked at before anything is followed."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from baselines.driver import train
from baselines.seed import causal_path
from harness import limits
from harness.cli.main import run as command
from harness.errors import UserError
from harness.sampling.hf import limited
from harness.sampling.hf.chat import Chat
from harness.sampling.hf.checkpoint import load
from harness.sampling.hf.choices import ChoicesEngine
from harness.sampling.hf.collapsed import CollapsedEngine
from harness.sampling.hf.foreign import contained
from harness.sampling.hf.limited import growing, within
from harness.sampling.hf.source import find, weights_digest
from harness.terms import Message, Request, Sampling
from tests.sampling.tiny_letters import make_letters

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = {"one": ("a", "bc"), "two": ("d",)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model, in one file of safetensors."""
    return make_letters(tmp_path_factory.mktemp("letters"))


def pickled(model: Path, folder: Path) -> Path:
    """The same model with its weights as a pickle."""
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.save(AutoModelForCausalLM.from_pretrained(model).state_dict(), folder / "pytorch_model.bin")
    return folder


def adapter_of(base: Path, folder: Path, *, safe: bool = False) -> Path:
    """An adapter, whose weights are a pickle by default."""
    from peft import LoraConfig, get_peft_model

    wrapped = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=2, target_modules=["q_proj"])
    )
    wrapped.peft_config["default"].base_model_name_or_path = str(base)
    wrapped.save_pretrained(folder, safe_serialization=safe)
    assert (folder / "adapter_model.bin").is_file() is not safe
    return folder


@pytest.mark.parametrize("named", ["{there}", "../{name}"])
def test_adapters_that_name_each_other(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, other in (("a", "b"), ("b", "a"), ("c", "c")):
        (tmp_path / name).mkdir()
        base = named.format(there=tmp_path / other, name=other)
        text = json.dumps({"base_model_name_or_path": base})
        (tmp_path / name / "adapter_config.json").write_text(text, encoding="utf-8")
    for name in "abc":
        with pytest.raises(UserError, match="is itself an adapter"):
            find(str(tmp_path / name))


def test_a_deep_config(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"a":' * 100_000, encoding="utf-8")
    with pytest.raises(UserError):
        find(str(tmp_path))


def test_pickles_are_read_only_where_asked(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = pickled(model, tmp_path / "base")
    adapters = [adapter_of(model, tmp_path / "safe base"), adapter_of(base, tmp_path / "both")]
    for folder in (base, *adapters):
        with pytest.raises(UserError, match="the weights are pickles") as err:
            find(str(folder))
        assert "--trust-pickle" in err.value.hint
        found = load(find(str(folder), trust_pickle=True), device="cpu")
        assert found.model.num_parameters() > 0
    line = [
        "evaluate",
        str(base),
        "--task",
        "gender_us",
        "--target",
        "labor",
        "--dry-run",
        "-o",
        str(tmp_path),
    ]
    assert command(line) == 2
    assert capsys.readouterr().err.count("the weights are pickles") == 1
    with pytest.raises(UserError, match="the weights are pickles"):
        train("sft", str(base), "gender_us", "labor", tmp_path / "out")


def test_a_pickle_beside_safetensors_is_not_read(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "both")
    ran = tmp_path / "ran"

    class Harm:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (ran,)

    for name in ("pytorch_model.bin", "training_args.bin"):
        (folder / name).write_bytes(pickle.dumps(Harm()))
    load(find(str(folder)), device="cpu")
    assert not ran.exists()
    pickle.loads((folder / "training_args.bin").read_bytes())  # noqa: S301  # ours, to see that it would have run
    assert ran.exists()


def test_shards_that_cannot_be_followed(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sharded"
    AutoModelForCausalLM.from_pretrained(model).save_pretrained(folder, max_shard_size="4KB")
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    index = folder / "model.safetensors.index.json"
    whole = index.read_text()
    load(find(str(folder)), device="cpu")
    data = json.loads(whole)
    first = next(iter(data["weight_map"]))
    for named in (
        "../model.safetensors",
        "/etc/passwd",
        "shard.bin",
        "gone.safetensors",
        "..\\x.safetensors",
    ):
        index.write_text(json.dumps({**data, "weight_map": {**data["weight_map"], first: named}}))
        with pytest.raises(UserError, match="shards that are") as err:
            find(str(folder))
        assert named in str(err.value)
    for text in (whole[:-60], "[]", "{}", '{"weight_map": []}', "[" * 100_000):
        index.write_text(text)
        with pytest.raises(UserError, match=r"index of shards|not valid JSON"):
            find(str(folder))
    index.write_text(whole)
    shard = folder / data["weight_map"][first]
    shard.write_bytes(shard.read_bytes()[:-8])
    with pytest.raises(UserError, match="cannot load this as a causal"):
        load(find(str(folder)), device="cpu")


TEMPLATES = {
    "one long text": "{{ 'a' * 10000000000 }}",
    "a wide number": "{{ '%10000000000d' % 1 }}",
    "a text that doubles": "{% set n = namespace(t='aaaaaaaa') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t }}",
    "lists of lists": "{% set n = namespace(t=[1]) %}{% for i in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}{{ n.t }}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_chat_template_takes_no_gigabytes(name: str, model: Path) -> None:
    chat = Chat(AutoTokenizer.from_pretrained(model))
    chat.template = TEMPLATES[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="template does not end") as err:
        chat.render(Request("c", "p", 0, 1, 0, messages=(Message("user", "Well?"),)))
    assert "512 MiB" in str(err.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 2**10
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_a_chat_template_writes_no_more_than_a_prompt(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Chat(AutoTokenizer.from_pretrained(model))
    chat.template = "{{ 'a' * 100 }}{{ messages[0].content }}"
    monkeypatch.setattr(limits, "RENDERED", 100)
    asked = Request("c", "p", 0, 1, 0, messages=(Message("user", "Well?"),))
    assert chat.render(asked) == "a" * 100 + "Well?"
    chat.template += "."
    with pytest.raises(UserError, match="writes too much"):
        chat.render(asked)


@pytest.mark.parametrize("changed", [{"intermediate_size": 10**9}, {"num_hidden_layers": 10**6}])
def test_a_config_takes_no_gigabytes(
    changed: dict[str, int], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(model, tmp_path / "large")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changed}))
    monkeypatch.setattr(limits, "BUILD_SECONDS", 0.3)
    with growing(2**29), pytest.raises(UserError, match="far more than the files hold"):
        load(find(str(folder)), device="cpu")


@pytest.fixture(scope="module")
def adapter(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that loads."""
    folder = adapter_of(model, tmp_path_factory.mktemp("adapters") / "safe", safe=True)
    load(find(str(folder)), device="cpu")
    return folder


def test_what_libraries_say_of_a_tokenizer_commands_no_terminal(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Code in Rust prints past us; of one that cannot be read, the message is enough."""
    with contained():
        os.write(1, b"from C: \x1b[31m\n")
        os.write(2, b"an error: \xc2\x9b2J\xff\n")
    out, err = capfd.readouterr()
    assert out == ""
    assert "from C: " in err
    assert "an error: " in err
    assert not set("\x1b\x9b") & set(err)
    folder = shutil.copytree(model, tmp_path / "broken")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"] = {
        "type": "BPE",
        "vocab": {"a": 0, "b": 1, "ab": 2},
        "merges": [["a", "b"]],
        "continuing_subword_prefix": "longer than any token",
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(UserError, match="cannot load this tokenizer"):
        load(find(str(folder)), device="cpu")
    out, err = capfd.readouterr()
    assert "panicked" not in out + err
    os.write(2, b"as before")
    assert capfd.readouterr().err == "as before"


MUCH = "asks for far more than its files hold"
ADAPTERS: dict[str, tuple[dict[str, object], str]] = {
    "a rank": ({"r": 2**31}, MUCH),
    "a rank of one module": ({"rank_pattern": {"q_proj": 2**31}}, MUCH),
    "a pattern that is searched for ever": ({"target_modules": "((.*)*(.*)*(.*)*)*x"}, MUCH),
    "a scale beyond all floats": ({"lora_alpha": 10**400}, "does not fit its base"),
    "modules that are not there": ({"target_modules": ["none"]}, "does not fit its base"),
    "a billion tokens": (
        {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 10**9, "task_type": "CAUSAL_LM"},
        "made of trained prompts",
    ),
    "other adapters": ({"peft_type": "XLORA", "adapters": {"a": "/etc"}}, "or of other adapters"),
    "numbers that are computed first": ({"peft_type": "SHIRA"}, "size of this kind of adapter"),
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_config_of_an_adapter_takes_no_gigabytes(
    name: str, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(adapter, tmp_path / "adapter")
    changed, problem = ADAPTERS[name]
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, **changed}))
    monkeypatch.setattr(limits, "BUILD_SECONDS", 1)
    with growing(2**29), pytest.raises(UserError, match=problem):
        load(find(str(folder)), device="cpu")


def test_a_time_within_a_time() -> None:
    """In the main thread and in another; the inner one leaves the outer one's time as it was."""

    def strikes(*seconds: float) -> None:
        with ExitStack() as all_of_them:
            for one in seconds:
                all_of_them.enter_context(within(one))
            while True:
                pass

    def after() -> None:
        with suppress(TimeoutError):
            strikes(0.01)
        strikes()

    def both() -> bool:
        with pytest.raises(TimeoutError):
            strikes(0.05, 10)
        with pytest.raises(TimeoutError), within(0.2):
            after()
        return True

    assert both()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(both).result()


def test_a_time_that_rang_while_nobody_listened_rings_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited, "AGAIN", 0.05)

    def deaf(times: int) -> None:
        """Loses what is raised so often, as a callback of the garbage collector does."""
        for _ in range(times):
            with suppress(TimeoutError):
                while True:
                    pass
        while True:
            pass

    with pytest.raises(TimeoutError), within(0.05):
        deaf(2)


def test_a_model_that_loads_and_cannot_be_computed(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "odd")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_key_value_heads": 3, "head_dim": 16}))
    with pytest.raises(UserError, match=r"do not hold all weights|cannot"):
        load(find(str(folder)), device="cpu")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["zz"] = 10**6
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="tokens that the model has not"):
        load(find(str(folder)), device="cpu")


def test_added_tokens_that_the_model_has_not(model: Path, tmp_path: Path) -> None:
    """Many tokenizers were given a token to pad with, and their models none: it works until somebody uses it."""
    folder = shutil.copytree(model, tmp_path / "padded")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "[P]"})
    tokenizer.save_pretrained(folder)
    asked = [Request("c", text, 0, 2, 1, text=text) for text in ("a", "abc")]
    engine = CollapsedEngine(str(folder), device="cpu")
    assert len(list(engine.draw(asked, Sampling(max_tokens=2)))) == 2
    weighed = [dict(s.lower) for _, s in ChoicesEngine(str(folder)).choices(asked, lambda _: CLASSES)]
    whole = [dict(s.lower) for _, s in ChoicesEngine(str(model)).choices(asked, lambda _: CLASSES)]
    assert weighed == [pytest.approx(row) for row in whole]
    with pytest.raises(UserError, match="a token that the model has not") as err:
        list(engine.draw([Request("c", "p", 0, 2, 1, text="a[P]")], Sampling(max_tokens=2)))
    assert err.value.found == "[P]"


def test_a_folder_that_says_it_comes_from_a_gguf_file_is_not_believed(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "says")
    before = weights_digest(folder)
    (folder / "gguf.json").write_text('{"sha256": "0", "quantisation": "Q4_0"}')
    assert weights_digest(folder) == before


@pytest.mark.parametrize("ends", ["x", [[2]], {"a": 1}, 10**30])
def test_end_tokens_that_are_no_numbers(ends: object, model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "odd")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    with pytest.raises(UserError, match="end token that is no number"):
        _ = CollapsedEngine(str(folder), device="cpu").checkpoint


def test_memory_is_limited_only_within_the_block() -> None:
    with pytest.raises(MemoryError), growing(2**20):
        bytearray(2**30)
    assert len(bytearray(2**27)) == 2**27


def test_a_prompting_arm_that_was_stopped_before_its_record_goes_on(tmp_path: Path) -> None:
    asked = ("prompting", str(causal_path()), "gender_us", "labor", tmp_path / "out")
    out = train(*asked)
    (out / "distalign.json").unlink()
    assert train(*asked) == out
    assert (out / "distalign.json").is_file()
