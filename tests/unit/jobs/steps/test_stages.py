from jobs.steps.stages import Stages


def test_a_stage_gives_what_its_job_returns_and_its_seconds_are_kept_in_order() -> None:
    stages = Stages()
    assert stages.run("join", "-".join, ["a", "b"]) == "a-b"
    assert stages.run("add", lambda x, y: x + y, 1, 2) == 3
    assert list(stages.seconds) == ["join", "add"]
    assert all(0 <= seconds < 1 for seconds in stages.seconds.values())
