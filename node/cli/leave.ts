/**
 * Ends this process with `code` now, whatever hangs in it. `process.exit` waits for every call that hangs in a disk, because Node.js joins
 * the threads that carry them out (libuv's uv_library_shutdown; measured with a pipe that nobody opens at its other end). To
 * become another program ends them all, execve(2), and keeps the exit code, by which service managers tell a stop from a crash.
 */
export function leave(code: number): never {
  // what was started by us ends with us (ffmpeg/process-group.ts)
  process.emit('exit', code);
  if (process.platform !== 'win32' && process.execve) {
    try {
      process.execve('/bin/sh', ['sh', '-c', `exit ${code}`], {});
    } catch {
      // no shell here
    }
    process.kill(process.pid, 'SIGKILL');
  }
  process.exit(code);
}
