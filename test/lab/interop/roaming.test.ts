import { afterEach, expect, it } from 'vitest';
import { until } from '../../until.ts';
import { describeLab } from '../requirements.ts';
import { outer, Pair, type PairOptions, ports } from './pair.ts';

const OTHER_ADDRESS = '198.51.100.9';
const OTHER_PORT = 40_000;

describeLab('our device x wireguard-go, roaming', () => {
  let pair: Pair;
  const connected = async (options: PairOptions): Promise<void> => {
    pair = await Pair.open(options);
    await pair.connect();
    expect(await pair.ping('ours', 5)).toBe(5);
  };
  const theirView = async (): Promise<string> => (await pair.wireguard.peer()).endpoint;
  afterEach(() => pair?.close());

  it('our port changes: they follow, nothing is lost, no new handshake', async () => {
    await connected({});
    expect(await theirView()).toBe(`${outer.ours}:${ports.ours}`);
    const { port } = await pair.connect(undefined, true);
    expect(port).not.toBe(ports.ours);
    expect(await pair.ping('ours', 20)).toBe(20);
    expect(await theirView()).toBe(`${outer.ours}:${port}`);
    expect(await pair.ping('theirs', 20)).toBe(20);
    expect((await pair.report()).handshakes).toBe(1);
  });

  it('our address changes: they follow', async () => {
    await connected({});
    const change = `ip -n ${pair.ours.name} address add ${OTHER_ADDRESS}/24 dev wan
      ip -n ${pair.ours.name} address delete ${outer.ours}/24 dev wan
      ip -n ${pair.ours.name} address replace ${OTHER_ADDRESS}/24 dev wan`;
    await pair.lab.script(change);
    expect(await pair.ping('ours', 20)).toBe(20);
    expect(await theirView()).toBe(`${OTHER_ADDRESS}:${ports.ours}`);
    expect(await pair.ping('theirs', 20)).toBe(20);
    expect((await pair.report()).handshakes).toBe(1);
  });

  it('their port changes: a roaming peer is followed', async () => {
    await connected({ roaming: true });
    await pair.wireguard.setListenPort(OTHER_PORT);
    expect(await pair.ping('theirs', 20)).toBe(20);
    expect(await pair.ping('ours', 20)).toBe(20);
    const { moves, handshakes } = await pair.report();
    expect(moves).toEqual([{ kind: 'udp', socket: 0, to: { ip: outer.theirs, port: OTHER_PORT } }]);
    expect(handshakes).toBe(1);
  });

  it('their port changes: a peer that may not roam is heard and not followed', async () => {
    await connected({ roaming: false });
    const before = (await pair.report()).stats.peers[0]!.rxPackets;
    await pair.wireguard.setListenPort(OTHER_PORT);
    expect(await pair.ping('theirs', 3)).toBe(0);
    const { moves, stats } = await pair.report();
    expect(moves).toEqual([]);
    expect(stats.peers[0]!.rxPackets).toBe(before + 3);

    await pair.connect({ ip: outer.theirs, port: OTHER_PORT });
    await until('answers again', async () => (await pair.ping('theirs', 1)) === 1);
  });
});
