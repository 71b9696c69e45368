"""What jobs ask a scheduler for: one node, threads and memory for each GPU."""

from pathlib import Path

import pytest

from zfnet.settings import Jobs, Settings

TEXT = (Path(__file__).parents[2] / "workflow/rules/resources.smk").read_text(encoding="utf-8")


@pytest.fixture
def rules():
    """Read resources.smk, which is plain Python, with the given settings below `jobs`."""

    def read(**jobs):
        names = {"settings": Settings(jobs=Jobs(**jobs))}
        exec(TEXT, names)
        return names

    return read


def cpus_per_gpu(request, threads):
    return request["cpus_per_gpu"](None, threads)


@pytest.mark.parametrize("gpus", [1, 2, 4])
def test_a_training_has_its_gpus_in_one_node_and_the_threads_of_one_gpu_for_each(rules, gpus):
    read = rules(threads=6, gpus_per_training=gpus)
    training, threads = read["TRAINING"], read["threads_of"]("train")
    assert (training["nodes"], training["gpu"], training["world_size"]) == (1, gpus, gpus)
    assert threads == 6 * gpus and cpus_per_gpu(training, threads) == 6


def test_every_job_is_in_one_node_and_its_threads_are_divided_among_its_gpus(rules):
    read = rules(threads=8, gpus=2)
    for rule in set(read["SHARES"]) - {"train"}:
        request, threads = read["request"](rule), read["threads_of"](rule)
        assert (request["nodes"], request["gpu"]) == (1, 2)
        assert cpus_per_gpu(request, threads) == max(1, threads // 2)


def test_a_job_without_a_gpu_asks_for_no_threads_of_one(rules):
    request = rules(threads=8)["request"]("shards", gpus=0)
    assert (request["nodes"], request["gpu"], cpus_per_gpu(request, 8)) == (1, 0, 0)
    assert cpus_per_gpu(rules(gpus=0)["TRAINING"], 8) == 0


def test_a_training_takes_one_slot_of_a_shared_gpu_and_other_jobs_take_all(rules):
    read = rules(trainings_per_gpu=2, threads=4)
    assert (read["TRAINING"]["gpu"], read["request"]("evaluate")["gpu"]) == (1, 2)


def test_a_job_that_is_tried_again_gets_more_memory_up_to_twice_as_much(rules):
    memory = rules(memory_mb=16000)["request"]("train")["mem_mb"]
    assert [memory(None, attempt) for attempt in (1, 2, 3, 4, 9)] == [16000, 24000, 32000, 32000, 32000]
