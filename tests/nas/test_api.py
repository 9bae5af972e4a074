"""The library: networks by name, their weights, and searches."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import nas
from cells.ops import Invalid
from nas.build import WeightsError, load_weights
from nas.store import Run


def test_models_by_name() -> None:
    assert "regnetx_004" in nas.list_models("regnet*")
    assert all(name.startswith("regnetx") for name in nas.list_models("regnetx*"))
    module = nas.create_model("regnetx_002", num_classes=7, input=(3, 64, 64))
    assert module(torch.randn(2, 3, 64, 64)).shape == (2, 7)
    with pytest.raises(LookupError, match="did you mean"):
        nas.create_model("regnetx_0002")


def test_a_small_stem_keeps_the_weights_and_four_times_the_positions() -> None:
    large = nas.create_model("regnetx_002", num_classes=10, input=(3, 32, 32)).eval()
    small = nas.create_model("regnetx_002", num_classes=10, input=(3, 32, 32), stem="small").eval()
    small.load_state_dict(large.state_dict())
    x = torch.randn(1, 3, 32, 32)
    sizes = [list(m.get_submodule("stem")(x).shape[2:]) for m in (large, small)]
    assert sizes == [[16, 16], [32, 32]]
    with pytest.raises(Invalid, match="no stem with a stride"):
        nas.create_model("lenet5", stem="small")


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_weights_are_loaded_by_name(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"weights.{suffix}"
    source = nas.create_model("lenet5")
    if suffix == "pt":
        torch.save(source.state_dict(), file)
    else:
        save_file(source.state_dict(), file)
    loaded = nas.create_model("lenet5", weights=file)
    x = torch.randn(2, 1, 32, 32)
    assert torch.equal(source.eval()(x), loaded.eval()(x))


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_file(nas.create_model("lenet5").state_dict(), file)
    with pytest.raises(WeightsError, match=r"output\.weight is \[10, 84\] in the file, \[7, 84\]"):
        nas.create_model("lenet5", num_classes=7, weights=file)
    with pytest.warns(UserWarning, match="left out: output.weight"):
        nas.create_model("lenet5", num_classes=7, weights=file, strict=False)
    left = load_weights(nas.create_model("lenet5", num_classes=7), file, strict=False)
    assert [line.partition(" ")[0] for line in left] == ["output.weight", "output.bias"]
    with pytest.raises(WeightsError, match="cannot read weights"):
        load_weights(nas.create_model("lenet5"), tmp_path / "absent.pt")


def test_a_search_from_python(tmp_path: Path) -> None:
    run = nas.run(
        "regnet",
        dataset="digits",
        trials=2,
        epochs=1,
        train_images=64,
        confirm=0,
        executor="local",
        run=str(tmp_path / "run"),
    )
    assert run.table().num_rows == 2
    again = nas.open_run(tmp_path / "run")
    assert isinstance(again, Run)
    assert again.best()["key"] == run.best()["key"]
    best = again.best()
    module = nas.create_model(str(tmp_path / "run"), weights=tmp_path / "run" / best["weights"])
    assert sum(p.numel() for p in module.parameters()) == best["params"]
    assert best.export(tmp_path / "net.py", name="Mine") == [tmp_path / "net.py"]
    text = (tmp_path / "net.py").read_text()
    assert f"validation accuracy {best['val_accuracy']:.2%} in the search" in text
    assert f"python -m nas.export {tmp_path / 'run'}:{best['key']} --to net.pt" in text
