/**
 * An app without a screen as a process: `node process.js STATE_DIR`. Commands come as JSON lines with an id, answers and
 * changes of the state leave as JSON lines. SIGTERM closes it.
 */
import { createInterface } from 'node:readline';
import { createAppHost } from '../../../engine/session/host.ts';
import { WarrenError } from '../../../protocol/errors.ts';
import { appCommand } from '../../../protocol/face.ts';
import { startHosted } from '../../../server/hosted.ts';

const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

const host = createAppHost({
  stateDir: process.argv[2] as string,
  about: { version: '0.0.0', platform: process.platform, shell: 'browser', locale: 'en', servers: [] },
  loadNative: async () => await import('node-wireguard'),
  startServer: startHosted,
  tun: true,
  log: (level, message) => process.stderr.write(`${level}: ${message}\n`),
});
host.subscribe((change) => say({ change }));

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, command } = JSON.parse(line) as { id: number; command: unknown };
  host.command(appCommand.parse(command)).then(
    (result) => say({ id, result: result ?? null }),
    (error: unknown) => say({ id, code: error instanceof WarrenError ? error.code : String(error) }),
  );
});
process.once('SIGTERM', () => void host.close().then(() => process.exit(0)));
