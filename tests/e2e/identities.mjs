// identities.mjs SITE: two OpenID providers on loopback, one like Google and one like Telegram, and people's browsers in
// front of them and of the site. Prints the issuers, waits for a line that says the site is there, then runs.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const [site] = process.argv.slice(2);

let keys = 0;
const newKey = (type, options) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig',
  kid: `key-${(keys += 1)}` });

class Issuer {
  constructor(client, alg, people) {
    Object.assign(this, { client, alg, people, as: null });
  }

  async start() {
    const server = createServer((request, response) => this.answer(request, response));
    await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
    this.url = `http://127.0.0.1:${server.address().port}`;
    this.changeKeys();
  }

  // Beside the key in use a kind that the site does not know.
  changeKeys() {
    const people = this.people;
    this.provider = new Provider(this.url, {
      clients: [{ ...this.client, id_token_signed_response_alg: this.alg, response_types: ['code'],
        grant_types: ['authorization_code'] }],
      jwks: { keys: [newKey('ed25519'), this.alg === 'ES256' ? newKey('ec', { namedCurve: 'P-256' })
        : newKey('rsa', { modulusLength: 2048 })] },
      enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
      cookies: { keys: ['a key of this test'] },
      claims: { openid: ['sub', 'id'], email: ['email', 'email_verified'],
        profile: ['given_name', 'family_name', 'preferred_username'] },
      conformIdTokenClaims: false,
      pkce: { required: () => true },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
      async loadExistingGrant({ oidc }) {
        const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
        grant.addOIDCScope('openid email profile');
        await grant.save();
        return grant;
      },
    });
    this.serve = this.provider.callback();
  }

  answer(request, response) {
    if (!request.url.startsWith('/interaction/')) return this.serve(request, response);
    const result = this.as ? { login: { accountId: this.as } } : { error: 'access_denied' };
    return this.provider.interactionFinished(request, response, result);
  }
}

// Keeps cookies for each origin and follows redirects, as a browser does.
class Browser {
  jars = new Map();

  async open(url, form) {
    for (let hops = 0; hops < 20; hops += 1) {
      const { origin } = new URL(url);
      const jar = this.jars.get(origin) ?? this.jars.set(origin, new Map()).get(origin);
      const response = await fetch(url, { redirect: 'manual', method: form ? 'POST' : 'GET',
        body: form && new URLSearchParams(form),
        headers: { Accept: 'text/html', 'Accept-Language': 'en', Cookie: [...jar].map((c) => c.join('=')).join('; ') } });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        if (value === '') jar.delete(name);
        else jar.set(name, value);
      }
      const text = await response.text();
      const next = response.headers.get('location');
      if (!next) return { status: response.status, url, text };
      url = new URL(next, url).href;
      form = undefined;
    }
    throw new Error('too many redirects');
  }

  async fields(path) {
    const { text } = await this.open(`${site}${path}`);
    return Object.fromEntries([...text.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]));
  }

  async signInByCode(email, code) {
    const { csrf } = await this.fields('/login');
    const page = await this.open(`${site}/login`, { csrf, email, code });
    assert.equal(page.url, `${site}/dashboard`);
  }

  // The page the person ends on; at Stepik he says who he is and agrees.
  async agreeing(page, stepik) {
    if (!page.url.includes('/oauth2/authorize/')) return page;
    const hidden = Object.fromEntries([...page.text.matchAll(/name="(\w+)" value="([^"]*)">/g)]
      .map(([, name, value]) => [name, value.replaceAll('&amp;', '&')]));
    return this.open(`${new URL(page.url).origin}/oauth2/authorize/`, { ...hidden, allow: '1', user: String(stepik) });
  }

  async signIn(way, stepik) {
    return this.agreeing(await this.open(`${site}/login/${way}`), stepik);
  }

  async link(way, stepik) {
    const { csrf } = await this.fields('/profile/identities');
    return this.agreeing(await this.open(`${site}/profile/identities/${way}/link`, { csrf }), stepik);
  }

  async unlink(way) {
    const { csrf } = await this.fields('/profile/identities');
    return this.open(`${site}/profile/identities/${way}/unlink`, { csrf });
  }
}

const google = new Issuer({ client_id: 'google-client', client_secret: 'google-secret-of-test',
  token_endpoint_auth_method: 'client_secret_post', redirect_uris: [`${site}/login/google/callback`] }, 'RS256', {
  'g-anna': { email: 'anna@example.org', email_verified: true, given_name: 'Anna' },
  'g-vera': { email: 'vera@example.org', email_verified: true, given_name: 'Vera' },
});
const telegram = new Issuer({ client_id: 'telegram-client', client_secret: 'telegram-secret-of-test',
  token_endpoint_auth_method: 'client_secret_basic', redirect_uris: [`${site}/login/telegram/callback`] }, 'ES256', {
  't-anna': { id: 424242, preferred_username: 'anna_tg' },
});
await google.start();
await telegram.start();
console.log(JSON.stringify({ google: google.url, telegram: telegram.url }));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { stepik } = JSON.parse((await lines.next()).value);

const dashboard = (page) => assert.equal(page.url, `${site}/dashboard`, page.text);
const says = (page, words) => assert.ok(page.text.includes(words), `${page.url} does not say "${words}":\n${page.text}`);

// Anna has an account here. Google's word about her e-mail alone does not open it.
google.as = 'g-anna';
says(await new Browser().signIn('google'), 'Somebody here has the e-mail of this Google account');
telegram.as = 't-anna';
says(await new Browser().signIn('telegram'), 'No account here is linked to this Telegram account');

const anna = new Browser();
await anna.signInByCode('anna@example.org', '123456789');
for (const way of ['google', 'telegram', 'stepik']) {
  const page = await anna.link(way, stepik);
  assert.equal(page.url, `${site}/profile/identities`, page.text);
  says(page, { google: 'anna@example.org', telegram: 'anna_tg', stepik: String(stepik) }[way]);
}
for (const way of ['google', 'telegram', 'stepik']) dashboard(await new Browser().signIn(way, stepik));
console.log('linked, and signed in by each');

google.changeKeys();
telegram.changeKeys();
for (const way of ['google', 'telegram']) dashboard(await new Browser().signIn(way));
console.log('signed in after the keys changed');

const boris = new Browser();
await boris.signInByCode('boris@example.org', '223456789');
for (const way of ['google', 'telegram', 'stepik'])
  says(await boris.link(way, stepik), 'is linked to another person here');

google.as = null;
says(await new Browser().signIn('google'), 'You did not agree at Google');
google.as = 'g-vera';
dashboard(await new Browser().signIn('google')); // nobody has her e-mail: she is new here
google.as = 'g-anna';
await anna.unlink('google');
says(await new Browser().signIn('google'), 'Somebody here has the e-mail of this Google account');
console.log('refused, created, unlinked');
process.exit(0);
