/** Whatever is asked and whatever happens, in any order: what always holds. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ErrorCode, WarrenError } from '../../../protocol/errors.ts';
import { type AppCommand, appState } from '../../../protocol/face.ts';
import { until } from '../../until.ts';
import { joining, otherEngine, TestApp } from './harness.ts';

type Step = (app: TestApp) => unknown;

/** A command may be refused; that is an answer. */
const command =
  (asked: AppCommand): Step =>
  (app) =>
    app.do(asked).catch((error: unknown) => expect(error).toBeInstanceOf(WarrenError));

const STEPS: [string, Step][] = [
  ['join a', command(joining({ room: 'a' }))],
  ['join b', command(joining({ room: 'b' }))],
  ['host c', command(joining({ room: 'c', server: { kind: 'host' } }))],
  ['leave', command({ type: 'leave' })],
  ['toggle', command({ type: 'toggle' })],
  ['dismiss', command({ type: 'dismiss' })],
  ['forget a', command({ type: 'forget', room: 'a' })],
  ['chat', command({ type: 'chat', text: 'hi' })],
  ['set', command({ type: 'set', setting: 'hard-nat', on: false })],
  ['engine joins', (app) => app.engines.at(-1)?.stopped === false && app.engine.joined()],
  ['engine fails', (app) => app.engines.at(-1)?.end('wrong-password')],
  ['engine is ended', (app) => app.engines.at(-1)?.end(null)],
  ['no rights', (app) => (app.startFailure = new WarrenError('no-rights', 'none'))],
  ['rights', (app) => (app.startFailure = null)],
  ['no port', (app) => (app.serverFailure = new WarrenError('port-taken', 'none'))],
  ['ports', (app) => (app.serverFailure = null)],
  ['another engine', (app) => app.claimed === 0 && (app.other ??= otherEngine())],
  [
    'another engine ends',
    (app) => {
      const { other } = app;
      app.other = null;
      void other?.end();
    },
  ],
  ['time', () => new Promise(setImmediate)],
];

const CODES: ErrorCode[] = ['wrong-password', 'no-rights', 'port-taken', 'already-running', 'timeout'];

function holds(app: TestApp): void {
  const { state } = app;
  expect(appState.safeParse(state).error).toBeUndefined();
  expect(app.engines.filter(({ stopped }) => !stopped).length).toBeLessThanOrEqual(1);
  expect(app.servers.filter(({ closed }) => !closed).length).toBeLessThanOrEqual(1);
  if (state.connection.state === 'idle' || state.connection.state === 'failed') {
    expect(state.snapshot.state).toBe('off');
  }
  if (state.connection.state === 'failed') expect(CODES).toContain(state.connection.code);
}

it('one engine at most, a valid state, and nothing left behind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { maxLength: 25 }), async (steps) => {
      const app = new TestApp().start();
      try {
        for (const [, step] of steps) {
          await Promise.race([step(app), new Promise(setImmediate)]);
          holds(app);
        }
        await app.do({ type: 'leave' });
        app.other = null;
        await until('idle', () => app.state.connection.state === 'idle');
        holds(app);
      } finally {
        await app.host.close();
      }
      expect(app.claimed).toBe(0);
      expect(app.engines.every(({ stopped }) => stopped)).toBe(true);
      expect(app.servers.every(({ closed }) => closed)).toBe(true);
      // Who only adds up the changes has the whole.
      expect(Object.assign({}, ...app.changes)).toEqual(app.state);
      await app.close();
    }),
    { numRuns: 150 },
  );
});
