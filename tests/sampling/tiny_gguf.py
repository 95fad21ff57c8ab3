"""A transformers Llama checkpoint written as a GGUF file, as llama.cpp's converter would."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(
    model: Path,
    path: Path,
    kind: str = "F32",
    *,
    pre: str = "gpt-2",
    more: Mapping[str, str] | None = None,
    only: slice | None = None,
) -> Path:
    """Write the checkpoint in ``model`` to ``path``.

    Args:
        model: a folder with a Llama of byte-level BPE.
        path: the file to write.
        kind: F32 or Q8_0, of all matrices.
        pre: name of the rule by which text is cut.
        more: further text entries of the metadata.
        only: these tensors alone: a part of a split model.
    """
    import gguf

    config = json.loads((model / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32 if kind == "F32" else gguf.LlamaFileType.MOSTLY_Q8_0)
    _tokenizer(writer, model, pre)
    for key, value in (more or {}).items():
        writer.add_string(key, value)
    stored = gguf.GGMLQuantizationType[kind]
    weights = list(_tensors(model).items())
    for name, data in weights[only] if only else weights:
        if data.ndim == 2 and kind != "F32":
            writer.add_tensor(name, gguf.quants.quantize(data, stored), raw_dtype=stored)
        else:
            writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tokenizer(writer: object, model: Path, pre: str) -> None:
    import gguf
    from transformers import AutoTokenizer

    assert isinstance(writer, gguf.GGUFWriter)
    tokenizer = AutoTokenizer.from_pretrained(model)
    core = json.loads((model / "tokenizer.json").read_text())
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    types = [gguf.TokenType.NORMAL] * len(tokens)
    for i, token in tokenizer.added_tokens_decoder.items():
        types[i] = gguf.TokenType.CONTROL if token.special else gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in core["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_add_bos_token(tokenizer.bos_token_id is not None)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _tensors(model: Path) -> dict[str, NDArray[np.float32]]:
    """The weights of a checkpoint by llama.cpp's names and in its order."""
    from safetensors.numpy import load_file

    config = json.loads((model / "config.json").read_text())
    heads = {".q_proj": config["num_attention_heads"], ".k_proj": config["num_key_value_heads"]}
    found = {}
    for name, array in sorted(load_file(model / "model.safetensors").items()):
        turned = next((count for part, count in heads.items() if part in name), 0)
        found[_name(name)] = _turned(array, turned) if turned else array
    return found


def _turned(array: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of a head in llama.cpp's order: its rotary pairs are neighbours, those of transformers half a head apart."""
    rows, columns = array.shape
    return array.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _name(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    if stem.startswith("model.layers."):
        number, _, rest = stem.removeprefix("model.layers.").partition(".")
        return f"blk.{number}.{NAMES[rest]}.{suffix}"
    return f"{NAMES[stem]}.{suffix}"


def unpack_gguf(path: Path, out: Path, folder: Path | None = None) -> Path:
    """The same model with every weight in float32; or with those of a Llama checkpoint that was made from it."""
    import gguf

    own = _tensors(folder) if folder else {}

    reader = gguf.GGUFReader(path)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(out, architecture)
    written = {"general.architecture", "general.file_type", "general.quantization_version"}
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in written:
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=inner)
    for tensor in reader.tensors:
        shape = [int(n) for n in reversed(tensor.shape)]
        data = own[tensor.name] if own else gguf.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, data.reshape(shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out
