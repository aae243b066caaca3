/** The operating system's end of a command: remembers what it was asked to run, and answers what the test says. */
import type { RunCommand } from '../../engine/net/platform/command.ts';

export class FakeSystem {
  readonly commands: { file: string; argv: readonly string[] }[] = [];
  readonly logged: string[] = [];
  readonly run: RunCommand;

  constructor(answer: () => string) {
    this.run = async (file, argv) => {
      this.commands.push({ file, argv });
      return answer();
    };
  }

  /** The PowerShell script of a command. */
  script(index: number): string {
    const { argv = [] } = this.commands[index] ?? {};
    const encoded = argv[argv.indexOf('-EncodedCommand') + 1] ?? '';
    return Buffer.from(encoded, 'base64').toString('utf16le');
  }
}
