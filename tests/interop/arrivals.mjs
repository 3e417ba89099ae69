// What came to a server with a DPoP proof, for a test to look at.
import { decodeJwt } from 'jose';

let arrived = [];

/** Keep what a request's proof says, and the nonce of its answer; `server` is the name the test knows it by. */
export function watch(server, name) {
  server.on('request', (request, response) => {
    const { dpop } = request.headers;
    if (dpop === undefined) return;
    const { htm, htu, ath, nonce } = decodeJwt(dpop);
    response.on('finish', () => arrived.push({
      server: name,
      path: request.url.split('?')[0],
      status: response.statusCode,
      proof: { htm, htu, ath, nonce },
      given: response.getHeader('dpop-nonce'),
    }));
  });
}

/** Return what came since the last call. */
export function takeArrived() {
  const taken = arrived;
  arrived = [];
  return taken;
}
