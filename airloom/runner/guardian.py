"""The guardian: a small process between the runner and a script, which sees to it that nothing outlives its step.

It is run as a file by a bare interpreter (`python -I -S guardian.py ...`), so it uses the standard library only; and
little of that, since every step waits for its start: `json`, `subprocess`, `signal` and `ctypes` take three times as
long to import as the interpreter takes to start.

Why a process of its own, and not just a parent-death signal on the script: that signal reaches the script but not
what the script has started, it is sent when the *thread* that started the script ends, and it exists on Linux only.
The guardian instead waits on a pipe whose other end only the runner holds. The kernel closes that end however the
runner dies, SIGKILL included, and the guardian then kills all there is. On Linux it is also the subreaper of all that
the script starts, so it finds and ends even daemons that left the script's session; elsewhere the process group is
ended. The script gets the parent-death signal too, for the case that the guardian itself is killed.

Protocol: the runner writes one byte to the control pipe to cancel. The guardian writes lines to the status pipe:
`pid=N`, and at the end `reason=exited` (or `timeout`, `cancelled`) and `returncode=N`; or else `error=WORDS`.
"""

from __future__ import annotations

import os
import select
import sys
import time

try:
    import _signal as signal  # type: ignore[import-not-found]  # what `signal` is made of; that adds names to the numbers
except ImportError:
    import signal

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 1.0
KILL_ROUNDS = 200


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process; does nothing where the system has no prctl."""
    if sys.platform != "linux":
        return
    try:
        import _ctypes  # what `ctypes` is made of

        function = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # of this program itself
        _ctypes.call_function(function, (option, value, 0, 0, 0))
    except (ImportError, AttributeError, OSError):
        pass


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, in whatever way; does nothing where there is no prctl."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)  # it ended before the kernel was told


class Guardian:
    """Starts one command, waits for it, and ends it with all its descendants."""

    def __init__(self, control: int, status: int, timeout: float, grace: float) -> None:
        self._control = control
        self._status = status
        self._timeout = timeout
        self._grace = grace
        self._runner = os.getppid()
        self._reason = "exited"
        self._terminated = False
        self._deadline = float("inf")
        self._script = 0
        self._returncode: int | None = None
        self._wakeup, wakeup_end = os.pipe()
        os.set_blocking(wakeup_end, False)
        signal.set_wakeup_fd(wakeup_end)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def run(self, argv: list[str]) -> None:
        """Run the command to its end and report it on the status pipe."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        try:
            self._start(argv)
        except OSError as error:
            self._report(error=error.strerror or str(error))
            return
        self._deadline = time.monotonic() + self._timeout
        while self._returncode is None:
            self._wait()
            self._reap(os.WNOHANG)
            if self._returncode is None and time.monotonic() >= self._deadline:
                self._end("timeout")
        self._kill_all()
        self._report(reason=self._reason, returncode=self._returncode)

    def _start(self, argv: list[str]) -> None:
        """Start the command in a session of its own. Raises OSError."""
        failed, failed_end = os.pipe()
        guardian = os.getpid()
        self._script = os.fork()
        if not self._script:
            self._become(argv, failed_end, guardian)
        os.close(failed_end)
        number = os.read(failed, 16)  # the command's start closes the other end
        os.close(failed)
        if number:
            os.waitpid(self._script, 0)
            raise OSError(int(number), os.strerror(int(number)))
        self._report(pid=self._script)
        # Only the script and its descendants may hold the output pipes: their end is the end of the output.
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)

    @staticmethod
    def _become(argv: list[str], failed: int, guardian: int) -> None:
        """In the child: be the command, which dies with the guardian, or tell why not."""
        try:
            os.setsid()
            end_with_parent(guardian)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and commands would inherit that
                signal.signal(number, signal.SIG_DFL)
            os.execvp(argv[0], argv)
        except OSError as error:
            os.write(failed, str(error.errno).encode())
        finally:
            os._exit(127)

    def _wait(self) -> None:
        """Sleep until a child ends, the runner speaks or dies, a signal comes, or the deadline passes."""
        left = max(0.0, min(POLL_SECONDS, self._deadline - time.monotonic()))
        ready, _, _ = select.select([self._control, self._wakeup], [], [], left)
        # A fork of the runner may hold the pipe open after the runner's death, hence the look at the parent.
        if os.getppid() != self._runner:
            self._kill_all()
            os._exit(1)
        if self._control in ready:
            if not os.read(self._control, 64):
                self._kill_all()
                os._exit(1)
            self._end("cancelled")
        if self._wakeup in ready and any(number != signal.SIGCHLD for number in os.read(self._wakeup, 64)):
            self._end("cancelled")

    def _end(self, reason: str) -> None:
        """Ask the script to end; when asked for the second time, or too late, kill it."""
        if self._terminated:
            if reason == "timeout":
                self._kill_all()
            return
        self._reason = reason
        self._terminated = True
        self._deadline = time.monotonic() + self._grace
        self._signal_group(signal.SIGTERM)

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self._script, number)
        except (ProcessLookupError, PermissionError):
            pass

    def _reap(self, flags: int) -> bool:
        """Collect children that ended, adopted ones too. False when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, flags)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._script:
                self._returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _kill_all(self) -> None:
        """SIGKILL the script's group and, on Linux, every other descendant, until no child is left.

        On Linux all descendants become children when their parents end, so without a child there is nothing to end.
        """
        if sys.platform == "linux" and not self._reap(os.WNOHANG):
            return
        for _ in range(KILL_ROUNDS):
            self._signal_group(signal.SIGKILL)
            for pid in descendants(os.getpid()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    pass
            if not self._reap(os.WNOHANG):
                return
            time.sleep(0.01)

    def _report(self, **message: object) -> None:
        try:
            os.write(self._status, "".join(f"{name}={value}\n" for name, value in message.items()).encode())
        except OSError:
            pass  # the runner is gone; nobody is left to tell


def descendants(root: int) -> list[int]:
    """Ids of all living descendants of a process, by /proc; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                # The name, in parentheses, may itself hold spaces and parentheses.
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(pid)
    found: list[int] = []
    queue = [root]
    while queue:
        for pid in children.get(queue.pop(), []):
            found.append(pid)
            queue.append(pid)
    return found


def main() -> None:
    """Command line: CONTROL_FD STATUS_FD TIMEOUT GRACE COMMAND..."""
    control, status, timeout, grace = sys.argv[1:5]
    for descriptor in (control, status):
        os.set_inheritable(int(descriptor), False)
    Guardian(int(control), int(status), float(timeout), float(grace)).run(sys.argv[5:])


if __name__ == "__main__":
    main()
