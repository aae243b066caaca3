/**
 * `warren demo`, and `npm start` for now: a room of three behind three different NATs, on this machine alone. In network
 * namespaces where that is possible, in the simulator elsewhere. Exit code 0 only when everyone reached everyone.
 */
import { createLogUpdate } from 'log-update';
import { describeChanges } from '../../cli/view/changes.ts';
import type { Snapshot } from '../../protocol/app.ts';
import { namespaceProblem, openNamespaces } from './namespaces.ts';
import { ACTORS, type Scene } from './scene.ts';
import { openSimulator } from './simulator.ts';
import { everyoneReached, renderMembers, renderReach } from './table.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function openScene(): Promise<Scene> {
  let problem = namespaceProblem();
  if (problem === null) {
    try {
      say('Three players behind three different NATs, in network namespaces of this machine: nothing leaves it.');
      return await openNamespaces();
    } catch (error) {
      problem = (error as Error).message.split('\n')[0] ?? 'the kernel refuses';
    }
  }
  say(`Three players behind three different NATs, in the simulator (${problem}).`);
  return openSimulator();
}

interface Display {
  changed(nick: string, snapshot: Snapshot, at: number): void;
  end(): void;
}

/** Redrawn in place on a terminal, a line a change elsewhere. */
function openDisplay(): Display {
  const snapshots = new Map<string, Snapshot>();
  if (!process.stdout.isTTY) {
    return {
      changed(nick, snapshot, at) {
        for (const line of describeChanges(snapshots.get(nick) ?? null, snapshot)) {
          say(`${(at / 1_000).toFixed(1).padStart(5)} s  ${nick.padEnd(6)}  ${line}`);
        }
        snapshots.set(nick, snapshot);
      },
      end: () => {},
    };
  }
  const update = createLogUpdate(process.stdout);
  return {
    changed(nick, snapshot) {
      snapshots.set(nick, snapshot);
      update(`\n${renderMembers(ACTORS, snapshots).join('\n')}`);
    },
    end: () => update.done(),
  };
}

async function main(): Promise<number> {
  const scene = await openScene();
  try {
    const display = openDisplay();
    const reached = await scene.play(display.changed).finally(display.end);
    say('');
    for (const line of renderReach(reached)) say(line);
    const all = everyoneReached(reached, ACTORS.length);
    say(`\n${all ? 'Everyone reached everyone.' : 'Not everyone reached everyone.'}`);
    return all ? 0 : 1;
  } finally {
    await scene.close();
  }
}

process.exitCode = await main();
