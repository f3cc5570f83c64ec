// 2,000 requests in bursts over kept connections: agent.mjs BASE. Prints how many came with each status and each body.
import http from 'node:http';
import crypto from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

const base = process.argv[2];
const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });

const get = (path) => new Promise((resolve) => {
  http.get(`${base}/${path}`, { agent }, (response) => {
    const digest = crypto.createHash('sha256');
    response.on('data', (data) => digest.update(data));
    response.on('end', () => resolve(`${path} ${response.statusCode} ${digest.digest('hex')}`));
    response.on('error', (error) => resolve(`${path} ${error.code}`));
  }).on('error', (error) => resolve(`${path} ${error.code}`));
});

const counts = {};
for (let burst = 0; burst < 20; burst += 1) {
  const paths = Array.from({ length: 100 }, (_, n) => `many/${n % 20}.txt`);
  for (const result of await Promise.all(paths.map(get))) counts[result] = (counts[result] ?? 0) + 1;
  await pause(20);
}
agent.destroy();
console.log(JSON.stringify(counts));
