/** Everything that the text of a launchd job depends on. */
export interface PlistFacts {
  label: string;
  command: readonly string[];
  /** null for an agent of the user who is signed in */
  account: string | null;
  log: string;
  finishes: boolean;
}

/** launchd's own PATH has neither Homebrew's ffmpeg (Apple and Intel) nor that of MacPorts. */
const PATH = '/opt/homebrew/bin:/usr/local/bin:/opt/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';

/** The property list of launchd.plist(5). */
export function launchdPlist({ label, command, account, log, finishes }: PlistFacts): string {
  const entries: [string, string][] = [
    ['Label', text(label)],
    ['ProgramArguments', `<array>${command.map((word) => `\n      ${text(word)}`).join('')}\n    </array>`],
    ...(account === null ? [] : ([['UserName', text(account)]] as [string, string][])),
    ['RunAtLoad', '<true/>'],
    // ended by "codecshift stop" it stays ended; anything else is tried again
    ['KeepAlive', '<dict><key>SuccessfulExit</key><false/></dict>'],
    ['ThrottleInterval', '<integer>10</integer>'],
    // 0: launchd waits until it has ended by itself
    ['ExitTimeOut', `<integer>${finishes ? 0 : 120}</integer>`],
    // "Background" would hold it, and all that it starts, on the slow cores of the chip for ever; ffmpeg gives way by itself
    ['ProcessType', text('Standard')],
    ['SoftResourceLimits', '<dict><key>NumberOfFiles</key><integer>65536</integer></dict>'],
    ['EnvironmentVariables', `<dict><key>PATH</key>${text(PATH)}</dict>`],
    ['StandardOutPath', text(log)],
    ['StandardErrorPath', text(log)],
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by "codecshift service install"; written anew when that is said again. -->
<plist version="1.0">
  <dict>
${entries.map(([key, value]) => `    <key>${key}</key>\n    ${value}`).join('\n')}
  </dict>
</plist>
`;
}

function text(value: string): string {
  return `<string>${xmlText(value)}</string>`;
}

/** Characters that XML 1.0 cannot hold at all are in no name that these systems take. */
export function xmlText(value: string): string {
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;')
    .replace(/[\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`);
}
