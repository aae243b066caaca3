import { afterEach, expect, it } from 'vitest';
import { until } from '../../until.ts';
import { describeLab } from '../requirements.ts';
import { freshPresharedKey, inner, innerV6, outerV6, Pair, type PairOptions, ports } from './pair.ts';

/** Initiations that go unanswered before we call it refused: the fast schedule, 0, 250, 750 and 1,750 ms. */
const UNANSWERED = 4;
const INITIATION_BYTES = 148;

describeLab('our device x wireguard-go', () => {
  let pair: Pair;
  const open = async (options?: PairOptions): Promise<void> => {
    pair = await Pair.open(options);
  };
  /** Packets that the kernel has handed to our device. */
  const packetsIntoTun = async (): Promise<number> => {
    const { stdout } = await pair.lab.run(pair.ours, ['ip', '-json', '-statistics', 'link', 'show', 'warren0']);
    const [link] = JSON.parse(stdout) as { stats64: { tx: { packets: number } } }[];
    return link!.stats64.tx.packets;
  };
  afterEach(() => pair?.close());

  it('handshakes as initiator, and pings travel both ways', async () => {
    await open();
    await pair.connect();
    await until('handshake', async () => (await pair.report()).handshakes === 1);
    expect((await pair.wireguard.peer()).latestHandshake).toBeGreaterThan(0);
    expect(await pair.ping('ours', 20)).toBe(20);
    expect(await pair.ping('theirs', 20)).toBe(20);
    const { stats, failures } = await pair.report();
    expect(stats).toMatchObject({ datagramsRejected: 0, routeMisses: 0, txDropped: 0 });
    expect(failures).toEqual([]);
  });

  it('handshakes as responder, and loses nothing of what waited', async () => {
    await open({ initiate: false, roaming: true, theyKnowUs: true });
    expect(await pair.ping('theirs', 20)).toBe(20);
    expect(await pair.ping('ours', 20)).toBe(20);
    expect(await pair.report()).toMatchObject({ handshakes: 1, failures: [] });
  });

  it('holds packets until the first handshake, and delivers them', async () => {
    await open();
    const ping = pair.ping('ours', 100);
    await until('packets wait', async () => (await packetsIntoTun()) >= 10);
    await pair.connect();
    expect(await ping).toBe(100);
  });

  it('agrees on a preshared key', async () => {
    const key = freshPresharedKey();
    await open({ presharedKey: { ours: key, theirs: key } });
    await pair.connect();
    expect(await pair.ping('ours', 20)).toBe(20);
  });

  it('gets no session with another preshared key, as initiator, until it has the right one', async () => {
    const theirs = freshPresharedKey();
    await open({ presharedKey: { ours: freshPresharedKey(), theirs } });
    await pair.connect();
    const initiations = async () => (await pair.report()).stats.peers[0]!.txBytes / INITIATION_BYTES;
    await until('initiations', async () => (await initiations()) >= UNANSWERED);
    const { handshakes, stats } = await pair.report();
    expect(handshakes).toBe(0);
    expect(stats.datagramsRejected).toBeGreaterThanOrEqual(UNANSWERED - 1); // responses that do not open
    expect((await pair.wireguard.peer()).latestHandshake).toBe(0);

    await pair.device.ask({ do: 'presharedKey', key: theirs });
    await until('handshake', async () => (await pair.report()).handshakes === 1);
    expect(await pair.ping('theirs', 20)).toBe(20);
  });

  it('gets no session with another preshared key, as responder', async () => {
    await open({
      presharedKey: { ours: freshPresharedKey(), theirs: freshPresharedKey() },
      initiate: false,
      roaming: true,
      theyKnowUs: true,
    });
    expect(await pair.ping('theirs', 3)).toBe(0);
    expect(pair.wireguard.process.output).toContain('invalid response'); // ours came, and did not open
    expect((await pair.wireguard.peer()).latestHandshake).toBe(0);
    expect((await pair.report()).handshakes).toBe(0);
  });

  it('carries IPv6 over IPv6', async () => {
    await open();
    await pair.connect({ ip: outerV6.theirs, port: ports.theirs });
    const argv = ['ping', '-6', '-q', '-n', '-c', '10', '-i', '0.01', innerV6.theirs];
    expect((await pair.lab.run(pair.ours, argv)).stdout).toContain('10 received');
    expect((await pair.wireguard.peer()).endpoint).toBe(`[${outerV6.ours}]:${ports.ours}`);
  });

  it('carries packets of the whole MTU, and TCP both ways', async () => {
    await open();
    await pair.connect();
    const wholeMtu = ['-M', 'do', '-s', String(1420 - 28)];
    expect(await pair.ping('ours', 20, ...wholeMtu)).toBe(20);
    expect(await pair.ping('theirs', 20, ...wholeMtu)).toBe(20);

    pair.lab.spawn(pair.theirs, ['iperf3', '-s']);
    await until('iperf3 listens', async () =>
      (await pair.lab.run(pair.theirs, ['ss', '-ltn'])).stdout.includes(':5201'),
    );
    for (const direction of [[], ['--reverse']]) {
      const argv = ['iperf3', '-c', inner.theirs, '-t', '1', '--json', ...direction];
      const { end } = JSON.parse((await pair.lab.run(pair.ours, argv)).stdout) as {
        end: { sum_received: { bytes: number } };
      };
      expect(end.sum_received.bytes).toBeGreaterThan(1_000_000);
    }
    expect((await pair.report()).failures).toEqual([]);
  });
});
