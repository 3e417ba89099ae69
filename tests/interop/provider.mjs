// oidc-provider (npm) on a free port of 127.0.0.1, for the tests. Its one line on stdout says where it is.
//
// The one argument is JSON; see `options` for what it may hold. The program ends when its stdin does, so that no test
// run, however it ended, leaves it behind. Each line there is answered with what came with a DPoP proof since the last.
import * as crypto from 'node:crypto';
import * as http from 'node:http';
import * as readline from 'node:readline';
import Provider, { errors } from 'oidc-provider';
import { takeArrived, watch } from './arrivals.mjs';
import { serveApi } from './resource.mjs';

console.info = console.error; // the library's notices; stdout is for answers

const options = {
  offerPar: true, // RFC 9126
  requirePar: false, // RFC 9126 section 5: refuse authorization requests that were not pushed
  dpopNonce: 'off', // 'off', 'optional' (handed out, not demanded) or 'required' (RFC 9449 section 8)
  rotateRefreshTokens: true,
  accessTokenTtl: 3600, // seconds
  refreshTokenTtl: 86400, // seconds
  resourcePrefix: 'https://api.example.com/', // resources that may be asked for (RFC 8707)
  resourceTokenFormat: 'jwt', // or 'opaque'
  keyJwtJwks: { keys: [] }, // the public key of the client "key-jwt"
  extraClients: [], // more clients, as oidc-provider takes them
  ...JSON.parse(process.argv[2] ?? '{}'),
};

const PEOPLE = {
  ann: { name: 'Ann Example', given_name: 'Ann', family_name: 'Example', email: 'ann@example.com', email_verified: true },
  bob: { name: 'Bob Example', given_name: 'Bob', family_name: 'Example', email: 'bob@example.com', email_verified: false },
};

const native = {
  application_type: 'native', // any port of the loopback redirect is accepted (RFC 8252 section 7.3)
  redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  response_types: ['code'],
};
// Every character that the form encoding of RFC 6749 section 2.3.1 must keep apart, in the id as well as in the secret.
const SECRET = 'p:w+d %&=?/"\\~.-_*!';

const clients = [
  { ...native, client_id: 'native', token_endpoint_auth_method: 'none' },
  { ...native, client_id: 'native-es256', token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'ES256' },
  { ...native, client_id: 'native-eddsa', token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'EdDSA' },
  {
    ...native, client_id: 'native-signed-userinfo', token_endpoint_auth_method: 'none', userinfo_signed_response_alg: 'ES256',
  },
  { ...native, client_id: 'native-par', token_endpoint_auth_method: 'none', require_pushed_authorization_requests: true },
  { ...native, client_id: 'native-dpop', token_endpoint_auth_method: 'none', dpop_bound_access_tokens: true },
  {
    ...native,
    client_id: 'basic client:+%',
    client_secret: SECRET,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: [...native.grant_types, 'client_credentials'],
  },
  { ...native, client_id: 'post', client_secret: SECRET, token_endpoint_auth_method: 'client_secret_post' },
  {
    ...native,
    client_id: 'secret-jwt',
    client_secret: 'a secret of at least 32 bytes, for HS256',
    token_endpoint_auth_method: 'client_secret_jwt',
    token_endpoint_auth_signing_alg: 'HS256',
  },
  {
    ...native,
    client_id: 'key-jwt',
    jwks: options.keyJwtJwks,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    grant_types: [...native.grant_types, 'client_credentials'],
  },
  ...options.extraClients,
];

function newKey(kid, type, parameters) {
  const { privateKey } = crypto.generateKeyPairSync(type, parameters);
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig' };
}

function configuration() {
  const signing = ['RS256', 'PS256', 'ES256', 'EdDSA'];
  return {
    clients,
    jwks: {
      keys: [
        newKey('rsa', 'rsa', { modulusLength: 2048 }),
        newKey('ec', 'ec', { namedCurve: 'P-256' }),
        newKey('ed', 'ed25519', {}),
      ],
    },
    cookies: { keys: [crypto.randomBytes(32).toString('base64url')] },
    claims: {
      openid: ['sub'],
      profile: ['name', 'given_name', 'family_name'],
      email: ['email', 'email_verified'],
      acr: null,
      auth_time: null,
    },
    scopes: ['openid', 'offline_access', 'api:read', 'api:write'],
    acrValues: ['urn:example:password'],
    enabledJWA: {
      clientAuthSigningAlgValues: ['HS256', ...signing],
      idTokenSigningAlgValues: signing,
      userinfoSigningAlgValues: signing,
    },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt'],
    pkce: { required: () => true },
    rotateRefreshToken: () => options.rotateRefreshTokens,
    ttl: {
      AccessToken: options.accessTokenTtl,
      ClientCredentials: options.accessTokenTtl,
      RefreshToken: options.refreshTokenTtl,
      AuthorizationCode: 60,
      DeviceCode: 600,
      Grant: 86400,
      IdToken: 3600,
      Interaction: 600,
      Session: 86400,
    },
    findAccount: (_ctx, id) => (Object.hasOwn(PEOPLE, id)
      ? { accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) }
      : undefined),
    features: features(),
  };
}

function features() {
  return {
    devInteractions: { enabled: true },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    jwtUserinfo: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    pushedAuthorizationRequests: { enabled: options.offerPar, requirePushedAuthorizationRequests: options.requirePar },
    dPoP: {
      enabled: true,
      nonceSecret: options.dpopNonce === 'off' ? undefined : crypto.randomBytes(32),
      requireNonce: () => options.dpopNonce === 'required',
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => {
        const known = resource.startsWith(options.resourcePrefix) || Object.values(apis).includes(resource);
        if (!known) throw new errors.InvalidTarget();
        return {
          scope: 'api:read api:write',
          audience: resource,
          accessTokenTTL: options.accessTokenTtl,
          accessTokenFormat: options.resourceTokenFormat,
          ...(options.resourceTokenFormat === 'jwt' && { jwt: { sign: { alg: 'ES256' } } }),
        };
      },
    },
  };
}

const server = http.createServer();
const apis = {}; // one for each thing that a server may do with nonces
let issuer;
for (const mode of ['off', 'optional', 'required']) {
  const made = await serveApi(() => issuer, mode);
  watch(made.server, mode);
  apis[mode] = made.api;
}
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration());
  provider.on('server_error', (_ctx, error) => console.error(error));
  watch(server, 'provider');
  server.on('request', provider.callback());
  const told = clients.map(({ client_id: id, client_secret: secret }) => ({ client_id: id, client_secret: secret }));
  process.stdout.write(`${JSON.stringify({ issuer, apis, clients: told })}\n`);
});
readline.createInterface({ input: process.stdin })
  .on('line', () => process.stdout.write(`${JSON.stringify({ arrived: takeArrived() })}\n`))
  .on('close', () => process.exit(0));
