// A game as the network sees it: ordinary UDP sockets, told by JSON lines on standard input what to do. No code of ours.
//
//   {"do":"listen","port":P,"group":G?,"on":IP?}         binds P on every address, joins G as a game would; answers what comes
//   {"do":"send","from":P,"to":IP,"ports":[...],"hex":X,"repeat":N?,"bind":IP?}
//   {"do":"repeat","port":P}                             says what comes to P again, to everybody
//   {"do":"close"}                                       closes every socket
//
// Prints {"heard":{...}}, {"answer":{...}}, {"sent":N}, {"listening":P}, {"error":...}.
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

const sockets = new Map();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** One socket a port, as a game that asks and answers from the same port. */
function open(port, address) {
  const key = `${address ?? ''}:${port}`;
  if (sockets.has(key)) return sockets.get(key);
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  const ready = new Promise((resolve) => {
    socket.bind(port, address, () => {
      socket.setBroadcast(true);
      resolve(socket);
    });
  });
  socket.on('error', (error) => say({ error: error.message }));
  socket.on('message', (bytes, from) => {
    const text = bytes.toString('hex');
    const about = { ip: from.address, fromPort: from.port, port: socket.address().port, size: bytes.length };
    // `Re:` marks an answer, so that nobody answers one.
    if (text.startsWith('52653a')) return say({ answer: { ...about, hex: text.slice(6, 86) } });
    say({ heard: { ...about, hex: text.slice(0, 80) } });
    socket.send(Buffer.concat([Buffer.from('Re:'), bytes.subarray(0, 40)]), from.port, from.address);
  });
  sockets.set(key, ready);
  return ready;
}

async function listen({ port, group, on }) {
  const socket = await open(port);
  if (group) socket.addMembership(group, on);
  say({ listening: port });
}

async function send({ from, to, ports, hex, repeat = 1, bind }) {
  const socket = await open(from, bind);
  let sent = 0;
  for (let i = 0; i < repeat; i++) {
    for (const port of ports) {
      // A flood is of different packets, as a broken game's would be.
      const bytes =
        repeat === 1 ? Buffer.from(hex, 'hex') : Buffer.from(`${hex}${i.toString(16).padStart(8, '0')}`, 'hex');
      await new Promise((resolve) => {
        socket.send(bytes, port, to, (error) => {
          if (error) say({ error: error.message });
          else sent++;
          resolve();
        });
      });
    }
  }
  say({ sent });
}

/** The simplest bridge between two networks, and the most harmful. */
async function sayAgain({ port }) {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (bytes) => socket.send(bytes, port, '255.255.255.255'));
  const ready = new Promise((resolve) => {
    socket.bind(port, () => {
      socket.setBroadcast(true);
      resolve(socket);
    });
  });
  sockets.set(`repeat:${port}`, ready);
  await ready;
  say({ listening: port });
}

function close() {
  for (const ready of sockets.values()) void ready.then((socket) => socket.close());
  sockets.clear();
  say({ closed: true });
}

const work = { listen, repeat: sayAgain, send, close };
createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line);
  void work[order.do](order);
});
