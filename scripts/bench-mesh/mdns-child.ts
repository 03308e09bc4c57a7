import multicastDNS from 'multicast-dns';

/** The least that finding another machine by multicast DNS can cost: `mdns-child.ts answer|ask <own address>`. */
const [role = '', address = ''] = process.argv.slice(2);
const name = '_bench._udp.local';
const begun = performance.now();
const socket = multicastDNS({ interface: address, bind: '0.0.0.0', reuseAddr: true } as multicastDNS.Options);

if (role === 'answer') {
  socket.on('query', ({ questions }) => {
    if (questions?.[0]?.name === name) socket.respond([{ name, type: 'PTR', data: `one.${name}` }]);
  });
  socket.on('ready', () => console.log('ready'));
} else {
  socket.on('response', ({ answers }) => {
    if (answers?.[0]?.name !== name) return;
    console.log((performance.now() - begun).toFixed(3));
    process.exit();
  });
  socket.on('ready', () => socket.query(name, 'PTR'));
}
