// A native app made with `openid-client` (npm), for tests of a provider: code with PKCE and DPoP, on a loopback redirect.
//
// Each line of stdin is a command in JSON ({ do: 'start', ... }), each line of stdout its answer: { good: {...} } or
// { refused: 'why' }. The program ends when its stdin does.
import * as http from 'node:http';
import * as readline from 'node:readline';
import * as oidc from 'openid-client';

let config;
let DPoP; // the handle that holds the key and the nonces of this sign-in
let tokens;
let finished; // resolves with what came of the sign-in

async function listen() {
  const server = http.createServer();
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  return { server, redirectUri: `http://127.0.0.1:${server.address().port}/callback` };
}

/** Take the code where the browser brings it, and show a page. */
function redeem(server, redirectUri, checks) {
  return new Promise((resolve, reject) => {
    server.on('request', async (request, response) => {
      const address = new URL(request.url, redirectUri);
      try {
        tokens = await oidc.authorizationCodeGrant(config, address, checks, undefined, { DPoP });
        resolve({ claims: tokens.claims(), type: tokens.token_type });
      } catch (error) {
        reject(error);
      }
      response.writeHead(200, { 'Content-Type': 'text/plain', Connection: 'close' }).end('You may close this page.');
      server.close();
    });
  });
}

const commands = {
  /** Begin a sign-in; the address is for the browser. */
  async start({ issuer, clientId, scope, alg, push }) {
    config = await oidc.discovery(new URL(issuer), clientId, undefined, oidc.None(), {
      execute: [oidc.allowInsecureRequests], // loopback
    });
    DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair(alg));
    const { server, redirectUri } = await listen();
    const verifier = oidc.randomPKCECodeVerifier();
    const checks = { pkceCodeVerifier: verifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce() };
    const request = {
      scope,
      prompt: 'consent',
      redirect_uri: redirectUri,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state: checks.expectedState,
      nonce: checks.expectedNonce,
      dpop_jkt: await DPoP.calculateThumbprint(),
    };
    const url = push
      ? await oidc.buildAuthorizationUrlWithPAR(config, request, { DPoP })
      : oidc.buildAuthorizationUrl(config, request);
    finished = redeem(server, redirectUri, checks);
    finished.catch(() => {}); // told by finish
    return { url: url.href, jkt: request.dpop_jkt };
  },
  finish: () => finished,
  async refresh() {
    const { access_token: before } = tokens;
    tokens = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
    return { type: tokens.token_type, changed: tokens.access_token !== before };
  },
  userinfo: ({ sub }) => oidc.fetchUserInfo(config, tokens.access_token, sub, { DPoP }),
  async call({ method, url, body, otherKey }) {
    const handle = otherKey ? oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256')) : DPoP;
    const answer = await oidc.fetchProtectedResource(
      config, tokens.access_token, new URL(url), method, body, undefined, { DPoP: handle },
    );
    return { status: answer.status, body: await answer.json() };
  },
};

process.stdout.write(`${JSON.stringify({ commands: Object.keys(commands) })}\n`);
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { do: name, ...options } = JSON.parse(line);
  const refused = (error) => ({ refused: `${error.message}: ${error.error ?? JSON.stringify(error.cause) ?? ''}` });
  const answer = await Promise.resolve(options).then(commands[name]).then((good) => ({ good }), refused);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0); // a sign-in that was never finished still listens
