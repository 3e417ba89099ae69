// DPoP (RFC 9449) with a key that WebCrypto does not give away, in plain JavaScript.
const encoder = new TextEncoder();
const nonces = new Map(); // of each origin its own (sections 8 and 9)

export const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
export const sha256 = async (text) => base64url(await crypto.subtle.digest('SHA-256', encoder.encode(text)));
export const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

export const newKey = () => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);

async function publicJwk({ publicKey }) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  return { crv, kty, x, y }; // in the order of RFC 7638 section 3
}

export const thumbprint = async (key) => sha256(JSON.stringify(await publicJwk(key)));

async function proof(key, method, url, token, nonce) {
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: await publicJwk(key) };
  const claims = {
    jti: random(), htm: method, htu: url.origin + url.pathname, iat: Math.floor(Date.now() / 1000),
    ...(token && { ath: await sha256(token) }), ...(nonce && { nonce }),
  };
  const signed = [header, claims].map((part) => base64url(encoder.encode(JSON.stringify(part)))).join('.');
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  return `${signed}.${base64url(await crypto.subtle.sign(algorithm, key.privateKey, encoder.encode(signed)))}`;
}

/** Fetch with a proof; answer one challenge for a nonce. */
export async function fetchWithProof(key, address, { method = 'GET', token, ...options } = {}) {
  const url = new URL(address);
  for (let tries = 1; ; tries += 1) {
    const headers = new Headers(options.headers);
    headers.set('DPoP', await proof(key, method, url, token, nonces.get(url.origin)));
    if (token) headers.set('Authorization', `DPoP ${token}`);
    const answer = await fetch(url, { ...options, method, headers });
    const nonce = answer.headers.get('DPoP-Nonce'); // read only where CORS exposes it
    if (nonce) nonces.set(url.origin, nonce);
    const challenge = answer.headers.get('WWW-Authenticate') ?? await answer.clone().text();
    const again = [400, 401].includes(answer.status) && nonce && challenge.includes('use_dpop_nonce');
    if (!again || tries === 2) return answer;
  }
}
