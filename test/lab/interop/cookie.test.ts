import { setTimeout } from 'node:timers/promises';

import { afterEach, expect, it } from 'vitest';
import { until } from '../../until.ts';
import type { Namespace } from '../netns.ts';
import { describeLab } from '../requirements.ts';
import type { Command, Report } from './initiation-flood.ts';
import { JsonLines } from './json-lines.ts';
import { freshPresharedKey, inner, outer, Pair, ports, script } from './pair.ts';

/** Ten times what puts our device under load. */
const FLOOD_PER_SECOND = 2_000;
/** wireguard-go is under load while an eighth of its queue of 1,024 initiations waits; 256 fit into its socket's buffer. */
const BURST = 245;
/** It may still work a burst off as fast as it reads it, at the scheduler's whim: then there is another. */
const BURSTS = 50;
const CAPTURE_MS = 1_000;
/** Its own retry comes after 5 s and a little, and it may need two. */
const HANDSHAKE_MS = 30_000;

describeLab('our device x wireguard-go, under load', () => {
  let pair: Pair;
  afterEach(() => pair?.close());

  const flooder = (namespace: Namespace): JsonLines<Command, Report> =>
    new JsonLines(pair.lab, namespace, [process.execPath, script('initiation-flood')]);

  it('a flood of initiations: we ask for cookies, and wireguard-go gets through', async () => {
    pair = await Pair.open({ initiate: false, roaming: true, theyKnowUs: true });
    const flood = flooder(pair.theirs);
    const to = { ip: outer.ours, port: ports.ours };
    const publicKey = pair.keys.ours.publicKey;
    await flood.ask({ do: 'flood', from: outer.neighbour, to, publicKey, perSecond: FLOOD_PER_SECOND });
    await until('under load', async () => (await pair.report()).stats.underLoad);
    await until('cookie replies', async () => (await flood.ask({ do: 'report' })).cookieReplies > 100);

    const ping = pair.lab.spawn(pair.theirs, ['ping', '-q', '-i', '0.1', inner.ours]);
    await until('handshake', async () => (await pair.report()).handshakes === 1, HANDSHAKE_MS);
    expect(pair.wireguard.process.output).toContain('Receiving cookie response');
    expect((await pair.report()).stats.underLoad).toBe(true);
    await ping.stop();
    expect(await pair.ping('theirs', 20)).toBe(20);
    expect(await pair.ping('ours', 20)).toBe(20);
  });

  it('wireguard-go asks us for a cookie, and we get through', async () => {
    // Without the right preshared key our initiations go on, so that one of them can meet the load.
    const theirs = freshPresharedKey();
    pair = await Pair.open({ presharedKey: { ours: freshPresharedKey(), theirs } });
    const filter = `udp src port ${ports.theirs} and udp[8] = 3`;
    const capture = pair.lab.spawn(pair.ours, ['tcpdump', '-n', '-i', 'wan', '-c', '1', '--immediate-mode', filter]);
    await until('tcpdump listens', () => capture.output.includes('listening on'));

    const burst = flooder(pair.theirs);
    const to = { ip: outer.theirs, port: ports.theirs };
    const publicKey = pair.keys.theirs.publicKey;
    for (let i = 0; i < BURSTS && capture.running; i += 1) {
      // While it stands still its socket fills up: the burst first, our initiation behind it.
      pair.wireguard.process.child.kill('SIGSTOP');
      await burst.ask({ do: 'burst', from: outer.neighbour, to, publicKey, count: BURST });
      await pair.connect(undefined, true);
      pair.wireguard.process.child.kill('SIGCONT');
      await Promise.race([capture.exited, setTimeout(CAPTURE_MS)]);
    }
    expect(capture.running).toBe(false);

    // It stays under load for another second: the next initiation needs the cookie.
    await pair.device.ask({ do: 'presharedKey', key: theirs });
    await until('handshake', async () => (await pair.report()).handshakes === 1, HANDSHAKE_MS);
    expect(await pair.ping('ours', 20)).toBe(20);
  });
});
