/**
 * What every RendezvousPort and the server behind it must do (engine/ports.ts, docs/protocol.md "Server"), held against
 * the real client and server on loopback and against the simulator's on a virtual network.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RendezvousConnection, RendezvousHandlers, RendezvousPort } from '../../engine/ports.ts';
import {
  type BinaryFrame,
  FRAME_RELAY,
  FRAME_SIGNAL,
  type Hello,
  type ServerMessage,
  type Welcome,
} from '../../protocol/server.ts';

export interface RendezvousHarness {
  /** A client on a machine of its own. */
  client(): RendezvousPort;
  url: string;
  /** Where nobody listens. */
  deadUrl: string;
  /** Says `going-away` and ends soon after. */
  drain(): void;
  /** Lets time pass until the condition holds; false after `limitMs`. */
  until(condition: () => boolean, limitMs: number): Promise<boolean>;
  close(): Promise<void>;
}

const SOON_MS = 5_000;
const TOPIC = 'aa'.repeat(32);
const OTHER_TOPIC = 'bb'.repeat(32);

type Cause = Parameters<RendezvousHandlers['closed']>[0];

class Side implements RendezvousHandlers {
  readonly messages: ServerMessage[] = [];
  readonly frames: BinaryFrame[] = [];
  readonly causes: Cause[] = [];
  opened = false;
  connection!: RendezvousConnection;

  open(): void {
    this.opened = true;
  }
  message(message: ServerMessage): void {
    this.messages.push(message);
  }
  frame(frame: BinaryFrame): void {
    this.frames.push({ ...frame, payload: frame.payload.slice() });
  }
  closed(cause: Cause): void {
    this.causes.push(cause);
  }

  get welcome(): Welcome | undefined {
    return this.messages.find((message): message is Welcome => message.t === 'welcome');
  }
  get id(): string {
    return this.welcome?.member ?? '';
  }
  /** Members that were told to have joined and left since. */
  heard(t: 'joined' | 'left'): string[] {
    return this.messages.flatMap((message) => (message.t === t ? [message.member] : []));
  }
  texts(): string[] {
    return this.frames.map(({ payload }) => String.fromCharCode(...payload));
  }
  relay(to: Side, text: string): boolean {
    return this.connection.frame({ type: FRAME_RELAY, member: to.id, payload: bytes(text) });
  }
  signal(to: Side, text: string): boolean {
    return this.connection.frame({ type: FRAME_SIGNAL, member: to.id, payload: bytes(text) });
  }
}

export function rendezvousContract(name: string, create: () => Promise<RendezvousHarness>): void {
  describe(`rendezvous contract: ${name}`, () => {
    let harness: RendezvousHarness;
    let sides: Side[];
    beforeEach(async () => {
      harness = await create();
      sides = [];
    });
    afterEach(async () => {
      for (const { connection } of sides) connection.close();
      await harness.close();
    });

    async function until(condition: () => boolean): Promise<void> {
      expect(await harness.until(condition, SOON_MS), condition.toString()).toBe(true);
    }

    function dial(url = harness.url, greeting?: Hello): Side {
      const side = new Side();
      side.connection = harness.client().connect(url, side, greeting);
      sides.push(side);
      return side;
    }

    async function join(changes: { topic?: string; session?: string; resume?: string } = {}): Promise<Side> {
      const side = dial();
      await until(() => side.opened);
      const session = sides.length.toString(16).padStart(32, '0');
      side.connection.send({ t: 'hello', versions: [1], topic: TOPIC, session, ...changes });
      await until(() => side.welcome !== undefined);
      return side;
    }

    function hello(changes: Partial<Hello> = {}): Hello {
      return { t: 'hello', versions: [1], topic: TOPIC, session: '0'.repeat(32), ...changes };
    }

    /** Two members; what each sends before has arrived at the server when this returns. */
    async function acquainted(): Promise<[Side, Side]> {
      const [a, b] = [await join(), await join()];
      a.connection.send({ t: 'allow', member: b.id });
      b.connection.send({ t: 'allow', member: a.id });
      await settled(a, b);
      return [a, b];
    }

    /** A signal each way: messages of one client keep their order. */
    async function settled(a: Side, b: Side): Promise<void> {
      const [before, after] = [a.frames.length, b.frames.length];
      a.signal(b, 'mark');
      b.signal(a, 'mark');
      await until(() => a.frames.length > before && b.frames.length > after);
      for (const side of [a, b]) side.frames.length = 0;
    }

    test('the first is welcomed to an empty room, the second learns of the first, the first is told', async () => {
      const a = await join();
      const b = await join();
      await until(() => a.heard('joined').length === 1);
      expect(a.welcome?.members).toEqual([]);
      expect(b.welcome?.members.map(({ member }) => member)).toEqual([a.id]);
      expect(a.heard('joined')).toEqual([b.id]);
      expect(a.welcome?.stun.map(({ role }) => role).slice(0, 2)).toEqual(['primary', 'second-port']);
    });

    test('who closes has left, and hears nothing any more', async () => {
      const [a, b] = [await join(), await join()];
      const before = b.messages.length;
      b.connection.close();
      b.connection.close();
      await until(() => a.heard('left').length === 1);
      await join();
      expect(a.heard('left')).toEqual([b.id]);
      expect([b.causes, b.messages.length]).toEqual([[], before]);
    });

    test('relay passes where the receiver allowed the sender, and no more after a deny', async () => {
      const [a, b] = [await join(), await join()];
      b.connection.send({ t: 'allow', member: a.id });
      await settled(a, b);
      expect(b.relay(a, 'closed')).toBe(true);
      expect(a.relay(b, 'open')).toBe(true);
      await until(() => b.frames.length === 1);
      expect(b.frames[0]).toMatchObject({ type: FRAME_RELAY, member: a.id });
      b.connection.send({ t: 'deny', member: a.id });
      await settled(a, b);
      a.relay(b, 'denied');
      await join();
      expect([a.texts(), b.texts()]).toEqual([[], []]);
    });

    test('strangers have four signals a pair, of 512 bytes at most', async () => {
      const [a, b] = [await join(), await join()];
      a.signal(b, 'x'.repeat(513));
      for (const text of ['1', '2', '3']) a.signal(b, text);
      await until(() => b.frames.length === 3);
      b.signal(a, '4');
      b.signal(a, '5');
      a.signal(b, '6');
      await until(() => a.frames.length === 1);
      await join();
      expect([a.texts(), b.texts()]).toEqual([['4'], ['1', '2', '3']]);
    });

    test('acquaintances have as many as the rate allows, of up to 16 KiB', async () => {
      const [a, b] = await acquainted();
      for (let n = 0; n < 20; n++) a.signal(b, 'x'.repeat(16_000));
      await until(() => b.frames.length === 20);
      expect(new Set(b.texts().map(({ length }) => length))).toEqual(new Set([16_000]));
    });

    test('nothing passes between topics', async () => {
      const [a, b] = [await join(), await join({ topic: OTHER_TOPIC })];
      const witness = await join({ topic: OTHER_TOPIC });
      expect(a.heard('joined')).toEqual([]);
      b.connection.send({ t: 'allow', member: a.id });
      await settled(b, witness);
      a.relay(b, 'across');
      a.signal(b, 'across');
      await join();
      await settled(b, witness);
      expect(b.frames).toEqual([]);
    });

    test('a resumed member keeps its id and all permissions, and nobody hears that it left', async () => {
      const [a, b] = await acquainted();
      const session = '1'.padStart(32, '0');
      const again = await join({ session, resume: a.welcome?.resume ?? '' });
      expect(again.id).toBe(a.id);
      b.relay(again, 'still yours');
      again.relay(b, 'still mine');
      await until(() => again.frames.length === 1 && b.frames.length === 1);
      await until(() => a.causes.length === 1);
      expect(b.heard('left')).toEqual([]);
      expect(again.welcome?.resume).not.toBe(a.welcome?.resume);
    });

    test('frames before the welcome, and none after the end, are sent', async () => {
      const a = await join();
      const early = dial();
      expect(early.relay(a, 'early')).toBe(false);
      a.connection.close();
      expect(a.relay(a, 'late')).toBe(false);
    });

    test('a hello given with the connection is answered, and opens the socket first', async () => {
      const a = await join();
      const b = dial(harness.url, hello());
      await until(() => b.welcome !== undefined);
      expect([b.opened, b.welcome?.members.map(({ member }) => member)]).toEqual([true, [a.id]]);
      await until(() => a.heard('joined').length === 1);
      b.connection.send(hello({ session: '1'.repeat(32) }));
      await until(() => b.causes.length > 0);
      expect(b.messages.at(-1)).toMatchObject({ t: 'error', code: 'bad-message' });
    });

    test('a hello given with the connection is refused as any other', async () => {
      const side = dial(harness.url, hello({ versions: [9] }));
      await until(() => side.causes.length > 0);
      expect(side.messages).toMatchObject([{ t: 'error', code: 'version' }]);
      expect(side.causes).toMatchObject([{ code: 'refused' }]);
    });

    test('an unknown version is refused, once', async () => {
      const side = dial();
      await until(() => side.opened);
      side.connection.send({ t: 'hello', versions: [9], topic: TOPIC, session: '0'.repeat(32) });
      await until(() => side.causes.length > 0);
      expect(side.messages).toMatchObject([{ t: 'error', code: 'version' }]);
      expect(side.causes).toMatchObject([{ code: 'refused' }]);
    });

    test('a second hello is a bad message, and the others hear that its member left', async () => {
      const [a, b] = [await join(), await join()];
      b.connection.send({ t: 'hello', versions: [1], topic: TOPIC, session: '0'.repeat(32) });
      await until(() => b.causes.length > 0 && a.heard('left').length > 0);
      expect(b.messages.at(-1)).toMatchObject({ t: 'error', code: 'bad-message' });
      expect(a.heard('left')).toEqual([b.id]);
    });

    test('a drain is announced, then refused', async () => {
      const side = await join();
      harness.drain();
      await until(() => side.causes.length > 0);
      expect(side.messages.slice(-2)).toMatchObject([{ t: 'going-away' }, { t: 'error', code: 'draining' }]);
      expect(side.causes).toMatchObject([{ code: 'refused' }]);
    });

    test('where nobody listens is unreachable, after the call has returned', async () => {
      const side = dial(harness.deadUrl);
      expect(side.causes).toEqual([]);
      await until(() => side.causes.length > 0);
      expect(side.causes).toMatchObject([{ code: 'unreachable' }]);
      expect(side.opened).toBe(false);
    });
  });
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
