import asyncio

from actors.web.middleware.request_facts import note, request_facts, request_under_way


def test_facts_are_noted_where_a_task_works_for_the_request() -> None:
    async def work() -> None:
        note(version="v1", query=None)

    async def request() -> dict[str, object]:
        with request_under_way("mine", "/v1/search") as facts:
            await asyncio.wait_for(work(), 1)
            assert (request_facts().id, request_facts().path) == ("mine", "/v1/search")
        assert request_facts().path == ""
        return facts.noted

    assert asyncio.run(request()) == {"version": "v1"}


def test_requests_at_a_time_are_kept_apart() -> None:
    async def request(name: str) -> str:
        with request_under_way(name, "/") as facts:
            await asyncio.sleep(0.01)
            note(name=name)
            return f"{facts.noted['name']} {request_facts().id}"

    async def both() -> list[str]:
        return await asyncio.gather(*(asyncio.create_task(request(name)) for name in "ab"))

    assert asyncio.run(both()) == ["a a", "b b"]


def test_outside_of_a_request_nothing_is_noted() -> None:
    note(version="v1")
    assert request_facts().path == ""
    assert len(request_facts().id) == 32
    assert request_facts().noted == {}
