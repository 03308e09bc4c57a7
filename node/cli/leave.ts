import { flushCompileCache } from 'node:module';

/**
 * Ends this process with `code` now, whatever hangs in it, without what Node.js does at its end: that joins the threads in which
 * calls to a disk may hang (libuv's uv_library_shutdown; measured with a pipe that nobody opens at its other end), and may itself wait for
 * ever for a thread that waits for it (nodejs/node issues 54918 and 64274). To become another program ends them all, execve(2), and keeps the
 * exit code, by which service managers tell a stop from a crash. Whatever has to be written is written before.
 */
export function leave(code: number): never {
  // what was started by us ends with us (ffmpeg/process-group.ts); a listener may know a worse code
  process.emit('exit', code);
  if (process.platform !== 'win32' && process.execve) {
    try {
      flushCompileCache();
      process.chdir('/'); // a shell complains of a folder that is gone
      process.execve('/bin/sh', ['sh', '-c', `exit ${process.exitCode ?? code}`], {});
    } catch {
      // no shell here
    }
  }
  process.exit(process.exitCode ?? code);
}
