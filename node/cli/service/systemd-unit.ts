/** Everything that the text of a unit depends on. */
export interface UnitFacts {
  scope: 'system' | 'user';
  /** program, what has to stand before, and the words after it */
  command: readonly string[];
  /** null for a unit of the user's own manager */
  account: string | null;
  /** of the groups that own graphics devices, those that this machine has */
  groups: readonly string[];
  dataDir: string;
  environmentFile: string;
  /** folders that may be written, beside the data directory */
  writable: readonly string[];
  /** mount points of the disks on which the libraries lie */
  mounts: readonly string[];
  /** encodes are finished before it stops */
  finishes: boolean;
  port: number;
}

export const STATE_DIRECTORY = '/var/lib/codecshift';

/** Longer than an ordered stop takes at worst: a copy that is being put in its place is brought to its end. */
const STOP_SECONDS = 120;

/** The unit file. What it forbids and what it has to allow is explained in the file itself, for whoever reads it there. */
export function systemdUnit(facts: UnitFacts): string {
  const sections = [unitSection(facts), serviceSection(facts), installSection(facts)];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function unitSection({ scope, mounts }: UnitFacts): string[] {
  const units = mounts.map(mountUnit);
  return [
    '# Written by "codecshift service install"; written anew when that is said again.',
    '[Unit]',
    'Description=CodecShift: turns the films of this house into HEVC',
    ...(scope === 'system' ? ['Wants=network-online.target', 'After=network-online.target remote-fs.target postgresql.service'] : []),
    // not RequiresMountsFor: a disk that is away must neither keep the dashboard from starting nor end it
    ...(units.length > 0 ? [`Wants=${units.join(' ')}`, `After=${units.join(' ')}`] : []),
    '# a start that fails is tried again for as long as it takes',
    'StartLimitIntervalSec=0',
  ];
}

function serviceSection(facts: UnitFacts): string[] {
  const { scope, command, account, groups, environmentFile, finishes, port } = facts;
  const [program, ...words] = command;
  return [
    '[Service]',
    'Type=exec',
    // the colon: a "$" in a name stays one
    `ExecStart=${[quoted(`:${program}`), ...words.map(quoted)].join(' ')}`,
    ...(account === null ? [] : [`User=${account}`]),
    ...(groups.length > 0 ? [`SupplementaryGroups=${groups.join(' ')}`] : []),
    `EnvironmentFile=-${percent(environmentFile)}`,
    '',
    '# ended by "codecshift stop" it stays ended; a crash, a kill and a failed start are tried again',
    'Restart=on-failure',
    'RestartSec=5s',
    'RestartPreventExitStatus=2',
    'KillMode=mixed',
    finishes ? '# encodes that run are finished first, which may take hours' : '# what runs is given back within seconds',
    `TimeoutStopSec=${finishes ? 'infinity' : STOP_SECONDS}`,
    'OOMPolicy=continue',
    'LimitNOFILE=65536',
    'LimitCORE=0',
    '',
    ...(scope === 'system' ? placesOf(facts) : []),
    ...(scope === 'system' && account !== 'root' ? capabilities(port) : []),
    ...hardening(scope === 'system' && account !== 'root'),
  ];
}

/** Films, data directory, and nothing else can be written. */
function placesOf({ dataDir, writable }: UnitFacts): string[] {
  const own = dataDir === STATE_DIRECTORY;
  // "-": a disk that comes later is seen then, and one that is away does not keep the program from starting
  const paths = [...(own ? [] : [dataDir]), ...writable].map((folder) => quoted(`-${folder}`));
  return [
    ...(own ? ['StateDirectory=codecshift', 'StateDirectoryMode=0700'] : []),
    'ProtectSystem=strict',
    'ProtectHome=read-only',
    ...(paths.length > 0 ? [`ReadWritePaths=${paths.join(' ')}`] : []),
    'PrivateTmp=yes',
  ];
}

function capabilities(port: number): string[] {
  const wanted = port > 0 && port < 1024 ? 'CAP_NET_BIND_SERVICE' : '';
  return [`CapabilityBoundingSet=${wanted}`, `AmbientCapabilities=${wanted}`];
}

/**
 * ffmpeg runs in a cage of its own (bubblewrap), made of namespaces and mounts by a user without rights. A film is more
 * dangerous than this program, so the cage is worth more than what would break it.
 */
function hardening(filtered: boolean): string[] {
  return [
    'NoNewPrivileges=yes',
    'LockPersonality=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    ...(filtered ? ['ProtectKernelModules=yes', 'ProtectControlGroups=yes'] : []),
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
    '# the cage of ffmpeg needs these namespaces, and @mount',
    'RestrictNamespaces=user mnt pid net ipc uts cgroup',
    'SystemCallArchitectures=native',
    ...(filtered ? ['SystemCallFilter=@system-service @mount', 'SystemCallErrorNumber=EPERM'] : []),
    '# Not here, on purpose. ProtectKernelTunables, ProtectKernelLogs, ProtectHostname, ProtectProc: they lay mounts over',
    '# /proc, and then no user without rights may mount the /proc of the cage. PrivateDevices, ProtectClock, DevicePolicy:',
    '# they take the graphics card away. MemoryDenyWriteExecute: JavaScript is compiled while it runs.',
  ];
}

function installSection({ scope }: UnitFacts): string[] {
  return ['[Install]', `WantedBy=${scope === 'system' ? 'multi-user.target' : 'default.target'}`];
}

/** One word of a list or a command line: systemd.syntax(7), quoting and "%" of systemd.unit(5). */
export function quoted(word: string): string {
  const text = percent(word);
  if (/^[\w@/.:=,+%-]+$/.test(text)) return text;
  const escaped = text
    .replace(/[\\"]/g, (c) => `\\${c}`)
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `"${escaped}"`;
}

function percent(text: string): string {
  return text.replaceAll('%', '%%');
}

/** As systemd-escape --path --suffix=mount: /mnt/my disk → mnt-my\x20disk.mount */
export function mountUnit(mountPoint: string): string {
  const parts = mountPoint.split('/').filter(Boolean);
  const escape = (part: string, first: boolean): string =>
    [...Buffer.from(part)]
      .map((byte, i) => {
        const char = String.fromCharCode(byte);
        return /[A-Za-z0-9:_.]/.test(char) && !(first && i === 0 && char === '.') ? char : `\\x${byte.toString(16).padStart(2, '0')}`;
      })
      .join('');
  return `${parts.map((part, i) => escape(part, i === 0)).join('-') || '-'}.mount`;
}
