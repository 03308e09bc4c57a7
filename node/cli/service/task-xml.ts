import { xmlText } from './launchd-plist.ts';

/** Everything that the text of a task depends on. */
export interface TaskFacts {
  scope: 'system' | 'user';
  command: readonly string[];
  /** the user whose task it is; null: the account LOCAL SERVICE, which may do little */
  account: string | null;
}

/**
 * A task of the Windows Task Scheduler, as `schtasks /XML` takes it: UTF-16 with a byte order mark. A program that is no
 * Windows service cannot be one (error 1053), a task can start with the machine just as well.
 */
export function taskFile(facts: TaskFacts): Buffer {
  return Buffer.from(`\uFEFF${taskXml(facts).replaceAll('\n', '\r\n')}`, 'utf16le');
}

export function taskXml({ scope, command, account }: TaskFacts): string {
  const [program, ...words] = command;
  // with the machine, or when the user signs in: then it sees the network drives and the graphics card of that session
  const trigger =
    scope === 'system'
      ? '<BootTrigger><Enabled>true</Enabled></BootTrigger>'
      : `<LogonTrigger><Enabled>true</Enabled><UserId>${xmlText(account ?? '')}</UserId></LogonTrigger>`;
  // S4U: as that user, without a password kept anywhere
  const who =
    account === null
      ? '<UserId>S-1-5-19</UserId>'
      : `<UserId>${xmlText(account)}</UserId><LogonType>${scope === 'system' ? 'S4U' : 'InteractiveToken'}</LogonType>`;
  // restarted is only what could not be started, at most 255 times: what ended is started again by keep-running
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.4" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>CodecShift: turns the films of this house into HEVC</Description></RegistrationInfo>
  <Triggers>${trigger}</Triggers>
  <Principals><Principal id="Author">${who}<RunLevel>LeastPrivilege</RunLevel></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RestartOnFailure><Interval>PT1M</Interval><Count>255</Count></RestartOnFailure>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>7</Priority>
  </Settings>
  <Actions Context="Author"><Exec><Command>${xmlText(program!)}</Command><Arguments>${xmlText(words.map(windowsWord).join(' '))}</Arguments></Exec></Actions>
</Task>
`;
}

/** One argument as CommandLineToArgvW reads it back: backslashes count only before a quotation mark. */
export function windowsWord(word: string): string {
  if (word !== '' && !/[\s"]/.test(word)) return word;
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}
