import asyncio

from actors.web.middleware.request_facts import begin, end, note, request_id, request_path


def test_facts_are_noted_where_a_task_works_for_the_request() -> None:
    async def work() -> None:
        note(version="v1", query=None)

    async def request() -> dict[str, object]:
        facts, token = begin("mine", "/v1/search")
        await asyncio.wait_for(work(), 1)
        assert (request_id(), request_path()) == ("mine", "/v1/search")
        end(token)
        return facts.noted

    assert asyncio.run(request()) == {"version": "v1"}


def test_requests_at_a_time_are_kept_apart() -> None:
    async def request(name: str) -> str:
        facts, _ = begin(name, "/")
        await asyncio.sleep(0.01)
        note(name=name)
        return f"{facts.noted['name']} {request_id()}"

    async def both() -> list[str]:
        return await asyncio.gather(*(asyncio.create_task(request(name)) for name in "ab"))

    assert asyncio.run(both()) == ["a a", "b b"]


def test_outside_of_a_request_nothing_is_noted() -> None:
    note(version="v1")
    assert request_path() == ""
    assert len(request_id()) == 32
