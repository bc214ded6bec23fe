"""Forks of every kind: children neither hang nor send their parent's spans, and their own arrive."""

import multiprocessing
import os

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_children_with_an_open_span_and_waiting_spans(hosts, collector):
    code = """
    @trace
    def work(n):
        return n
    with span("outer"):
        work("parent before")
        children = []
        for n in range(4):
            pid = os.fork()
            if pid == 0:
                work(n)
                if tracer: assert tracer.flush(10).ok
                os._exit(0)
            children.append(pid)
        print([os.waitpid(pid, 0)[1] for pid in children])
    """
    hosts.both(code)
    assert collector.names() == ["outer"] + ["work"] * 5


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_multiprocessing_deliver_without_being_asked(hosts, collector, method):
    code = f"""
    import multiprocessing
    @trace
    def work(n):
        return n * 2
    def child(n):
        work(n)
    if __name__ == "__main__":
        context = multiprocessing.get_context({method!r})
        with span("outer"):
            processes = [context.Process(target=child, args=(n,)) for n in range(3)]
            for process in processes: process.start()
            for process in processes: process.join()
            print([process.exitcode for process in processes])
    """
    done = hosts.both(code)
    assert done.stdout == "[0, 0, 0]\n"
    assert collector.names() == ["outer"] + ["work"] * 3


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_pools_deliver_when_they_are_closed(hosts, collector, method, late):
    """``late``: multiprocessing is imported after us, so that its hooks are there only in the child."""
    code = f"""
    {"" if late else "import multiprocessing"}
    @trace
    def work(n):
        return n * 2
    if __name__ == "__main__":
        import multiprocessing
        pool = multiprocessing.get_context({method!r}).Pool(2, maxtasksperchild=3)
        print(pool.map(work, range(10), chunksize=1))
        pool.close()
        pool.join()
    """
    hosts.both(code)
    assert collector.names() == ["work"] * 10


def test_an_executor_of_processes(hosts, collector):
    code = """
    from concurrent.futures import ProcessPoolExecutor
    import multiprocessing
    @trace
    def work(n):
        return n * 2
    if __name__ == "__main__":
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
            print(list(pool.map(work, range(10))))
    """
    hosts.both(code)
    assert collector.names() == ["work"] * 10


def test_a_prefork_server(hosts, collector):
    """As gunicorn does: import the application, fork workers, replace those that die, end them by signals."""
    code = """
    import signal, socket, time
    listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(64)
    with span("while loading"):
        pass
    @trace
    def handle(n):
        with span("inside"):
            return b"answer %d" % n
    def worker():
        alive = True
        def stop(*_):
            nonlocal alive
            alive = False
        signal.signal(signal.SIGTERM, stop)
        os.write(ready[1], b".")
        listener.settimeout(0.05)
        while alive:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.sendall(handle(int(connection.recv(16))))
            connection.close()
        sys.exit(0)
    ready = os.pipe()
    def spawn():
        pid = os.fork()
        if pid == 0:
            worker()
        os.read(ready[0], 1)
        return pid
    workers = [spawn() for _ in range(3)]
    answers = []
    for n in range(30):
        client = socket.create_connection(listener.getsockname())
        client.sendall(b"%d" % n); answers.append(client.recv(64)); client.close()
        if n == 15:
            os.kill(workers[0], signal.SIGTERM); os.waitpid(workers[0], 0)
            workers[0] = spawn()
    for pid in workers: os.kill(pid, signal.SIGTERM)
    print(answers == [b"answer %d" % n for n in range(30)], [os.waitpid(pid, 0)[1] for pid in workers])
    """
    hosts.both(code)
    assert collector.names() == ["handle"] * 30 + ["inside"] * 30 + ["while loading"]


def test_forks_while_threads_hold_every_lock(hosts, collector):
    code = """
    import threading
    stop = False
    def noise():
        while not stop:
            with span("noise", metadata={"k": 1}):
                enrich(metrics={"m": 1.0})
                if tracer:
                    tracer.log("said", n=1)
                    tracer.flush(0)
                    type(tracer)(project="short", target="memory")
    threads = [threading.Thread(target=noise) for _ in range(4)]
    for thread in threads: thread.start()
    codes = set()
    for n in range(60):
        pid = os.fork()
        if pid == 0:
            with span("child"):
                pass
            os._exit(0 if not tracer or tracer.flush(10).ok else 1)
        codes.add(os.waitpid(pid, 0)[1])
    stop = True
    for thread in threads: thread.join()
    print(codes)
    """
    hosts.both(code, timeout=50)
    assert collector.names().count("child") == 60


def test_forks_while_threads_of_ours_begin(hosts, collector):
    """What a thread's first steps lock, an allocator's lists of threads above all, is not locked in a child."""
    code = """
    if not tracer:
        print({0}); sys.exit()
    import time
    codes = set()
    for n in range(300):
        short = type(tracer)(project="short")
        with short.start_span("parent"):
            pass
        until = time.perf_counter() + n % 100 * 3e-6
        while time.perf_counter() < until:
            pass
        pid = os.fork()
        if pid == 0:
            with short.start_span("child"):
                pass
            os._exit(0 if short.flush(10).ok else 1)
        codes.add(os.waitpid(pid, 0)[1])
    print(codes)
    """
    hosts.both(code, timeout=50)
    assert collector.names().count("child") == 300


def test_forks_in_a_thread_and_of_a_fork(hosts, collector):
    code = """
    import threading
    def descend(depth):
        pid = os.fork()
        if pid == 0:
            with span(f"depth {depth}"):
                pass
            if depth < 3:
                descend(depth + 1)
            os._exit(0 if not tracer or tracer.flush(10).ok else 1)
        assert os.waitpid(pid, 0)[1] == 0
    with span("outer"):
        thread = threading.Thread(target=descend, args=(1,)); thread.start(); thread.join()
    print("end")
    """
    hosts.both(code)
    assert collector.names() == ["depth 1", "depth 2", "depth 3", "outer"]


def test_a_thousand_rapid_forks(hosts, collector):
    code = """
    with span("before"):
        pass
    bad = 0
    for n in range(1000):
        pid = os.fork()
        if pid == 0:
            with span("child"):
                enrich(metadata={"n": n})
            os._exit(0)
        bad += os.waitpid(pid, 0)[1] != 0
    print(bad)
    """
    hosts.both(code, timeout=50)
    assert "before" in collector.names()


def test_subprocesses_are_left_alone(hosts, collector):
    code = """
    import subprocess
    with span("runs a program"):
        print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout)
        print(os.waitstatus_to_exitcode(os.system("exit 3")))
        print(os.posix_spawn("/bin/true", ["true"], os.environ) > 0, os.wait()[1])
    """
    hosts.both(code)
    assert collector.names() == ["runs a program"]
