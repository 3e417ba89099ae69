// Two implementations of DPoP that are not ours, asked about proofs: `jose` and `oauth4webapi` (npm).
//
// Each line of stdin is a question in JSON, each line of stdout its answer: { good: {...} } or { refused: 'why' }.
// The one argument holds `jwks`, the keys that access tokens are signed with. The program ends when its stdin does.
import * as readline from 'node:readline';
import { EmbeddedJWK, calculateJwkThumbprint, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';

const { jwks } = JSON.parse(process.argv[2]);

const checks = {
  /** The signature, by the key in the header, which must be a public one. */
  async jose({ proof, alg }) {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', algorithms: [alg] });
    return { payload, header: protectedHeader, jkt: await calculateJwkThumbprint(protectedHeader.jwk) };
  },
  /** All of a resource request: the token, its binding, and the proof with htm, htu, ath and iat. */
  async oauth4webapi({ issuer, audience, method, url, token, proof, alg }) {
    const headers = { Authorization: `DPoP ${token}`, DPoP: proof };
    const server = { issuer, jwks_uri: `${issuer}/jwks` };
    return oauth.validateJwtAccessToken(server, new Request(url, { method, headers }), audience, {
      requireDPoP: true,
      signingAlgorithms: ['ES256', alg],
      [oauth.jwksCache]: { jwks, uat: Math.floor(Date.now() / 1000) },
    });
  },
};

process.stdout.write(`${JSON.stringify({ checks: Object.keys(checks) })}\n`);
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { check, ...question } = JSON.parse(line);
  const answer = await checks[check](question).then((good) => ({ good }), (error) => ({ refused: error.message }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
