from newapi.relay.bus import LocalBus


def test_who_listens_hears_until_it_ends() -> None:
    bus, heard = LocalBus(), []
    end = bus.subscribe("stats", heard.append)
    bus.subscribe("other", lambda _: heard.append(b"wrong"))
    bus.publish("stats", b"1")
    end()
    bus.publish("stats", b"2")
    assert heard == [b"1"]


def test_who_ends_in_a_message_does_not_hide_it_from_the_next() -> None:
    bus, heard = LocalBus(), []
    end = bus.subscribe("stats", lambda _: end())
    bus.subscribe("stats", heard.append)
    bus.publish("stats", b"1")
    bus.publish("stats", b"2")
    assert heard == [b"1", b"2"]
