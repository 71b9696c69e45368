"""The GPU checklist runs all its parts, keeps their output, and says which failed."""

from benchmarks.checklist import commands, run


def test_all_parts_run_whatever_the_others_say(tmp_path):
    failed = run({"first": ["no_such_module"], "second": ["this"]}, tmp_path / "out")
    assert failed == ["first"]
    assert "No module named no_such_module" in (tmp_path / "out/first.txt").read_text()
    assert "The Zen of Python" in (tmp_path / "out/second.txt").read_text()
    summary = (tmp_path / "out/summary.txt").read_text().splitlines()
    assert [line.split(",")[0] for line in summary] == ["first: FAILED (1)", "second: ok"]


def test_a_rehearsal_differs_in_device_and_size_only(tmp_path):
    real, rehearsed = (commands(device, tmp_path) for device in ("cuda", "cpu"))
    assert real.keys() == rehearsed.keys()
    assert "cpu" in rehearsed["check-gpu"] and "cuda" in real["check-gpu"]
    assert "--quick" in rehearsed["benchmarks"] and "--quick" not in real["benchmarks"]
