// An API for the DPoP-bound tokens of a provider, checked by `oauth4webapi`: the token (RFC 9068), the proof and the
// binding (RFC 9449 section 4.3). That library leaves nonces to its user; those here are this server's own.
import * as crypto from 'node:crypto';
import * as http from 'node:http';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';

/** The nonces of one server: 'off', 'optional' (handed out, not demanded) or 'required' (RFC 9449 section 9). */
class Nonces {
  constructor(mode) {
    this.mode = mode;
    this.given = new Set();
  }

  give() {
    const nonce = crypto.randomBytes(12).toString('base64url');
    this.given.add(nonce);
    return nonce;
  }

  accepts(nonce) {
    return nonce === undefined ? this.mode !== 'required' : this.mode !== 'off' && this.given.has(nonce);
  }
}

async function check(issuer, api, nonces, request) {
  const { dpop } = request.headers;
  if (dpop !== undefined && !nonces.accepts(decodeJwt(dpop).nonce)) return [401, 'use_dpop_nonce'];
  const seen = new Request(`${api}${request.url}`, { method: request.method, headers: request.headers });
  const server = { issuer, jwks_uri: `${issuer}/jwks` };
  try {
    const claims = await oauth.validateJwtAccessToken(server, seen, api, {
      requireDPoP: true,
      [oauth.allowInsecureRequests]: true, // loopback
    });
    return [200, { sub: claims.sub, scope: claims.scope, jkt: claims.cnf.jkt }];
  } catch (error) {
    console.error(error);
    return [401, 'invalid_token'];
  }
}

/** Serve one API on a free port of 127.0.0.1; `issuer` is called when it is needed. */
export async function serveApi(issuer, mode) {
  const nonces = new Nonces(mode);
  const server = http.createServer();
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  const api = `http://127.0.0.1:${server.address().port}`;
  server.on('request', async (request, response) => {
    request.resume();
    const [status, answer] = await check(issuer(), api, nonces, request);
    if (mode !== 'off') response.setHeader('DPoP-Nonce', nonces.give());
    if (status !== 200) response.setHeader('WWW-Authenticate', `DPoP error="${answer}", algs="ES256 Ed25519"`);
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(status === 200 ? answer : { error: answer }));
  });
  return { server, api };
}
