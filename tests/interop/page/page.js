// Code flow with PKCE and DPoP. What is needed after the redirect waits in this browser: the key in IndexedDB, which
// keeps a CryptoKey without ever seeing its bytes, the rest in sessionStorage.
import { fetchWithProof, newKey, random, sha256, thumbprint } from './dpop.js';

const redirectUri = location.origin + location.pathname;

function show(name, value) {
  const row = document.getElementById('steps').insertRow();
  row.append(Object.assign(document.createElement('th'), { textContent: name }));
  Object.assign(row.insertCell(), { id: name, textContent: value });
}

function keys(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('page', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('keys');
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const request = act(opening.result.transaction('keys', mode).objectStore('keys'));
      request.onerror = () => reject(request.error);
      request.onsuccess = () => { opening.result.close(); resolve(request.result); };
    };
  });
}

async function metadataOf(issuer) {
  return (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
}

async function signIn() {
  const { issuer, client_id, api } = Object.fromEntries(new URLSearchParams(location.search));
  const key = await newKey();
  await keys('readwrite', (store) => store.put(key, 'key'));
  const kept = { issuer, client_id, api, state: random(), verifier: random() };
  sessionStorage.setItem('kept', JSON.stringify(kept));
  const metadata = await metadataOf(issuer);
  const pushed = await fetchWithProof(key, metadata.pushed_authorization_request_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      client_id,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: 'openid profile email offline_access',
      prompt: 'consent',
      state: kept.state,
      code_challenge: await sha256(kept.verifier),
      code_challenge_method: 'S256',
      dpop_jkt: await thumbprint(key),
    }),
  });
  const { request_uri } = await pushed.json();
  location.assign(`${metadata.authorization_endpoint}?${new URLSearchParams({ client_id, request_uri })}`);
}

async function askForTokens(key, metadata, form) {
  const answer = await fetchWithProof(key, metadata.token_endpoint, { method: 'POST', body: new URLSearchParams(form) });
  if (!answer.ok) throw new Error(`token endpoint: ${await answer.text()}`);
  return answer.json();
}

async function comeBack(returned) {
  const { issuer, client_id, api, state, verifier } = JSON.parse(sessionStorage.getItem('kept'));
  sessionStorage.removeItem('kept');
  history.replaceState(null, '', redirectUri);
  if (returned.get('state') !== state) throw new Error('wrong state');
  if (returned.get('iss') !== issuer) throw new Error('wrong issuer'); // RFC 9207
  if (returned.has('error')) throw new Error(returned.get('error'));
  const key = await keys('readonly', (store) => store.get('key'));
  show('extractable', key.privateKey.extractable);
  show('export', await crypto.subtle.exportKey('jwk', key.privateKey).then(() => 'exported', String));
  show('thumbprint', await thumbprint(key));
  const metadata = await metadataOf(issuer);
  const first = await askForTokens(key, metadata, {
    grant_type: 'authorization_code', client_id, code: returned.get('code'), redirect_uri: redirectUri, code_verifier: verifier,
  });
  show('token type', first.token_type);
  const { access_token: token } = await askForTokens(key, metadata, {
    grant_type: 'refresh_token', client_id, refresh_token: first.refresh_token,
  });
  show('refreshed', token !== first.access_token);
  show('bound to', JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).cnf.jkt);
  show('userinfo', (await (await fetchWithProof(key, metadata.userinfo_endpoint, { token })).json()).email);
  show('api', await (await fetchWithProof(key, `${api}/me?a=b`, { token })).text());
  const stolen = await fetchWithProof(await newKey(), `${api}/me`, { token });
  show('another key', `${stolen.status} ${(await stolen.json()).error}`);
  const bearer = await fetch(`${api}/me`, { headers: { Authorization: `Bearer ${token}` } });
  show('no key', `${bearer.status} ${bearer.headers.get('WWW-Authenticate')}`);
  show('authorization endpoint', await fetch(metadata.authorization_endpoint).then(() => 'read', String));
}

try {
  const returned = new URLSearchParams(location.search);
  const button = document.getElementById('sign-in');
  if (returned.has('state')) {
    button.remove();
    await comeBack(returned);
    document.title = 'Done';
  } else {
    button.addEventListener('click', () => signIn().catch((error) => {
      show('error', error);
      document.title = 'Failed';
    }));
  }
} catch (error) {
  show('error', error);
  document.title = 'Failed';
}
