/** The command line: what is asked, checked and handed to its command. Commands load only when they run. */
import { setImmediate as turn } from 'node:timers/promises';
import { Argument, Command, CommanderError, Option } from 'commander';
import { EarlyDials } from '../engine/net/rendezvous/early-dials.ts';
import { settingName } from '../protocol/app.ts';
import { WarrenError } from '../protocol/errors.ts';
import type { LogLevel } from './commands/up.ts';
import { report } from './failure.ts';
import type { Io } from './io.ts';
import {
  count,
  filterValue,
  hostPort,
  interfaceName,
  ipv4Address,
  listenAddress,
  networks,
  onOrOff,
  port,
  servers,
  stunServers,
} from './options.ts';

const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
/** Free to bind without rights, and nobody's registered port. */
const DEFAULT_LISTEN = ':7868';
const DEFAULT_PINGS = 4;

/** Runs one command line (without node and script) and answers its exit code; never rejects. */
export async function run(words: string[], io: Io): Promise<number> {
  let code = 0;
  const program = build(io, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(words, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return report(error, io, words.includes('--json'));
  }
}

type Done = (code: number) => void;

function build(io: Io, done: Done): Command {
  const program = new Command('warren')
    .description('Friends anywhere in one LAN: one network name, one password, direct and encrypted.')
    .helpCommand(false);
  settle(program, io);
  addUp(program, io, done);
  addUi(program, io, done);
  addServe(program, io, done);
  addStatus(program, io, done);
  addMembers(program, io, done);
  addDiagnosis(program, io, done);
  for (const command of program.commands) settle(command, io);
  return program;
}

/** Errors as ours: one line with its code, one with the next step, exit code 2. */
function settle(command: Command, io: Io): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
      outputError: (text) => {
        io.err(`warren: ${text.replace(/^error: /, '').trim()} (usage)`);
        io.err(`  see: ${command.name() === 'warren' ? 'warren' : `warren ${command.name()}`} --help`);
      },
    });
}

const stateDirOption = () => new Option('--state-dir <dir>', 'where keys, rooms and the control socket live');
const jsonOption = () => new Option('--json', 'one JSON object a line on stdout');
const serverOption = () =>
  new Option('--server <url>', 'rendezvous server, ws:// or wss:// (up to 4 times)').argParser(servers);
const stunOption = () => new Option('--stun <host:port>', 'extra STUN server (repeatable)').argParser(stunServers);
const caFileOption = () => new Option('--ca-file <file>', 'PEM of a certificate authority to trust as well');

function addUp(program: Command, io: Io, done: Done): void {
  program
    .command('up')
    .description('join a room and stay in it until Ctrl-C')
    .option('--room <name>', 'network name')
    .addOption(
      new Option('--password-file <file>', 'file that holds the password').conflicts(['passwordEnv', 'inviteFile']),
    )
    .addOption(new Option('--password-env <variable>', 'environment variable that holds it').conflicts('inviteFile'))
    .option('--invite-file <file>', 'file that holds an invite link: room, password and servers')
    .addOption(serverOption())
    .option('--create', 'a new room: do not insist on somebody who knows the password')
    .option('--nick <name>', 'nickname (default: your user name)')
    .addOption(stateDirOption())
    .addOption(new Option('--interface <name>', 'name of the network interface').argParser(interfaceName))
    .addOption(new Option('--ipv4 <address>', 'wish for a virtual address').argParser(ipv4Address))
    .option('--no-tun', 'no network interface: members see you, packets go nowhere')
    .addOption(new Option('--udp-port <number>', 'UDP port to use (0: any)').argParser(port).default(0))
    .addOption(stunOption())
    .option('--no-port-mapping', 'do not ask the router to open a port')
    .option('--no-hard-nat', 'no probing through symmetric NATs')
    .option('--relay-only', 'tell nobody your addresses; everything goes over the relay')
    .option('--download-dir <dir>', 'where received files go (default: your downloads folder)')
    .option('--policy-file <file>', 'who may reach what on this machine; followed while it runs')
    .addOption(caFileOption())
    .addOption(new Option('--ui [port]', 'the app in a browser as well (port 0: any)').preset('0').argParser(port))
    .addOption(jsonOption())
    .addOption(new Option('--log-level <level>', 'what is said on stderr').choices(LOG_LEVELS).default('warn'))
    .action(async (options) => {
      // The server is on its way to answer while the engine loads.
      const early = options.server && new EarlyDials(options.server);
      // Node connects in the next turn, and loading is all of this one.
      await turn();
      // A thread takes as long to start as the engine to load.
      const crypto = (await import('../engine/net/crypto-worker/crypto-worker.ts')).createCryptoWorker();
      try {
        done(await (await import('./commands/up.ts')).up(options, io, { early, crypto }));
      } finally {
        early?.close();
        crypto.close();
      }
    });
}

function addUi(program: Command, io: Io, done: Done): void {
  program
    .command('ui')
    .description('open the app in a browser, served to this computer alone')
    .addOption(new Option('--port <number>', 'TCP port of the page (0: any)').argParser(port).default(0))
    .addOption(stateDirOption())
    .option('--no-open', 'print the address, do not open a browser')
    .option('--no-tun', 'no network interface: members see you, packets go nowhere')
    .addOption(jsonOption())
    .action(async (options) => done(await (await import('./commands/ui.ts')).ui(options, io)));
}

function addServe(program: Command, io: Io, done: Done): void {
  program
    .command('serve')
    .description('run a rendezvous server: members meet here, are relayed, and learn their NAT')
    .addOption(
      new Option('--listen <host:port>', 'where members connect; :PORT for every address')
        .argParser(listenAddress)
        .default(listenAddress(DEFAULT_LISTEN), DEFAULT_LISTEN),
    )
    .addOption(new Option('--stun-port <number>', 'UDP port of STUN; the next one is used too').argParser(port))
    .option('--alternate-ip <address>', 'second own address, for all of RFC 5780')
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'its private key, PEM')
    .addOption(new Option('--metrics <host:port>', 'health and Prometheus metrics').argParser(hostPort))
    .addOption(
      new Option('--trust-proxy <cidr>', 'believe X-Forwarded-For from there (repeatable)').argParser(networks),
    )
    .addOption(jsonOption())
    .action(async (options) => done(await (await import('./commands/serve.ts')).serve(options, io)));
}

function addStatus(program: Command, io: Io, done: Done): void {
  program
    .command('status')
    .description('show the room, you, and everyone in it')
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .option('--watch', 'at every change; may start before `warren up`')
    .action(async (options) => done(await (await import('./commands/status.ts')).status(options, io)));
  program
    .command('down')
    .description('leave the room and end the engine')
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .action(async (options) => done(await (await import('./commands/small.ts')).down(options, io)));
  program
    .command('set')
    .description(
      'change a setting, now and for later: port-mapping, hard-nat and discovery on or off; filter games, open or closed',
    )
    .addArgument(new Argument('<setting>').choices([...settingName.options, 'filter']))
    .argument('<value>')
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .action(async (setting, value, options) => {
      const small = await import('./commands/small.ts');
      if (setting === 'filter') done(await small.setFilter(filterValue(value), options, io));
      else done(await small.set(setting, onOrOff(setting, value), options, io));
    });
}

function addMembers(program: Command, io: Io, done: Done): void {
  program
    .command('ping')
    .description('probe a member end to end over the path in use')
    .argument('<nick-or-ip>')
    .addOption(new Option('--count <number>', 'how many probes').argParser(count).default(DEFAULT_PINGS))
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .action(async (peer, options) => done(await (await import('./commands/ping.ts')).ping(peer, options, io)));
  for (const on of [true, false]) {
    program
      .command(on ? 'block' : 'unblock')
      .description(on ? 'cut a member off from you, at once' : 'let a blocked member reach you again')
      .argument('<key-or-nick>')
      .addOption(stateDirOption())
      .addOption(jsonOption())
      .action(async (peer, options) => done(await (await import('./commands/small.ts')).block(peer, on, options, io)));
  }
  program
    .command('punch')
    .description(
      'a long shot at a direct path between two strict NATs, when both of you agree: odds and price come first',
    )
    .argument('<nick-or-key>')
    .option('--stop', 'say no to theirs, take yours back, or end it')
    .option('--yes', 'do not ask me')
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .action(async (peer, options) => done(await (await import('./commands/punch.ts')).punch(peer, options, io)));
  program
    .command('send')
    .description('offer a file to a member')
    .argument('<nick-or-key>')
    .argument('<file>')
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .action(async (peer, file, options) =>
      done(await (await import('./commands/files.ts')).send(peer, file, options, io)),
    );
  program
    .command('files')
    .description('files from and to members: list them, or accept, decline, cancel or remove one')
    .addArgument(new Argument('[action]').choices(['accept', 'decline', 'cancel', 'remove']))
    .argument('[id]')
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .action(async (action, id, options) => {
      if (action !== undefined && id === undefined)
        throw new WarrenError('usage', `which one? warren files ${action} ID`);
      done(await (await import('./commands/files.ts')).files(action ?? null, id ?? null, options, io));
    });
  program
    .command('invite')
    .description('print an invite link and its QR code')
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .action(async (options) => done(await (await import('./commands/small.ts')).invite(options, io)));
}

function addDiagnosis(program: Command, io: Io, done: Done): void {
  program
    .command('netcheck')
    .description('what your NAT is like, and what would help; joins no room')
    .addOption(serverOption())
    .addOption(stunOption())
    .addOption(caFileOption())
    .option('--no-port-mapping', 'do not ask the router to open a port')
    .addOption(jsonOption())
    .action(async (options) => {
      if (!options.server && !options.stun) {
        throw new WarrenError('usage', 'whom to ask? --server URL, or --stun HOST:PORT');
      }
      done(await (await import('./commands/netcheck.ts')).netcheck(options, io));
    });
  program
    .command('doctor')
    .description('check this machine: rights, tunnel, state directory, clock, server')
    .addOption(serverOption())
    .addOption(caFileOption())
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .action(async (options) => done(await (await import('./commands/doctor.ts')).doctor(options, io)));
  const policy = program.command('policy').description('policy files: who may reach what on this machine');
  settle(policy, io);
  const check = policy
    .command('check')
    .description('read a policy file and run its tests')
    .argument('<file>')
    .addOption(jsonOption())
    .action(async (file, options) => done(await (await import('./commands/policy.ts')).checkPolicy(file, options, io)));
  settle(check, io);
  program
    .command('demo')
    .description('a room of three behind three different NATs, on this machine alone')
    .action(async () => done(await (await import('./commands/demo.ts')).demo(io)));
}
