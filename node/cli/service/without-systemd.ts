import { existsSync, readFileSync } from 'node:fs';
import { placeOf, type Machine } from './machine.ts';

/** Why there is no systemd on this Linux, and what starts the program there instead. */
export function withoutSystemd(machine: Machine): string {
  const isThere = (file: string): boolean => existsSync(placeOf(machine, file));
  if (isThere('/.dockerenv') || isThere('/run/.containerenv') || machine.env['container'])
    return 'This is a container, and a container has no services: its engine starts it again (restart: unless-stopped in docker-compose.yml).';
  if (/microsoft/i.test(read(placeOf(machine, '/proc/version'))))
    return 'systemd is switched off in this Windows Subsystem for Linux. Write these two lines into /etc/wsl.conf: "[boot]" and "systemd=true", then say "wsl --shutdown" in Windows and open it again.';
  if (isThere('/run/openrc') || isThere('/sbin/openrc'))
    return 'This system is started by OpenRC, for which CodecShift writes no service. Put "codecshift run" with your options into a script in /etc/local.d, or use supervise-daemon.';
  if (isThere('/run/runit') || isThere('/etc/runit'))
    return 'This system is started by runit, for which CodecShift writes no service. A run file with "exec codecshift run" and your options is all that it needs.';
  return 'This system is not started by systemd, the only one on Linux for which CodecShift writes a service. Let whatever starts it run "codecshift run" with your options.';
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
