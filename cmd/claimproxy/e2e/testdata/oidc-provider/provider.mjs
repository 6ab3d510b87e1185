// An OpenID Provider made of the certified oidc-provider: opaque access tokens for userinfo, JWT
// access tokens for a resource, strict rotation of refresh tokens, the iss response parameter
// (RFC 9207), introspection, revocation, RP-initiated and back-channel logout.
//
// Environment: ISSUER, STATE_DIR and PEOPLE (a JSON file) are needed; TOKEN_TTL and ID_TOKEN_TTL
// (seconds) have defaults; ROTATE_KEYS=1 starts with a fresh signing key in place of the old one.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import Provider, { interactionPolicy } from 'oidc-provider';

import { clients } from './clients.mjs';
import { Fixture } from './fixture.mjs';
import { Interactions } from './interactions.mjs';
import { State } from './state.mjs';

const issuer = process.env.ISSUER;
const tokenTTL = Number(process.env.TOKEN_TTL ?? 3600);
const state = new State(process.env.STATE_DIR);

const people = state.kept('people', () => ({}));
for (const person of JSON.parse(readFileSync(process.env.PEOPLE))) people[person.username] = person;
for (const client of clients) state.model('Client')[client.client_id] ??= client;
const bySub = (sub) => Object.values(people).find((p) => String(p.id) === sub);

// What userinfo says, and the JWT access tokens for RESOURCE as well.
const claimsOf = (person) => ({
  name: person.name,
  nickname: person.username,
  preferred_username: person.username,
  email: person.email,
  email_verified: person.email_verified,
  groups: person.groups,
});

const RESOURCE = 'https://telemetry-api.example.test/'; // tokens for others name nobody's groups

// Signing in with the password is all there is. Whoever is asked for gold types it once more, and
// that is gold.
const policy = interactionPolicy.base();
policy.get('login').checks.add(new interactionPolicy.Check('gold', 'a stronger sign-in is asked for', ({ oidc }) => (
  Boolean(oidc.session.accountId) && Boolean(oidc.params.acr_values?.split(' ').includes('gold')) && oidc.acr !== 'gold')));

const provider = new Provider(issuer, {
  adapter: state.adapter(),
  jwks: state.kept('jwks', newKeys, Boolean(process.env.ROTATE_KEYS)),
  cookies: { keys: state.kept('cookie-keys', () => [randomBytes(32).toString('hex')]) },
  clockTolerance: 0,
  scopes: ['openid', 'offline_access', 'profile', 'email', 'telemetry:read'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'nickname', 'preferred_username', 'groups'],
    email: ['email', 'email_verified'],
  },
  ttl: {
    AccessToken: (_ctx, _token, client) => (client.clientId === 'native-brief' ? 6 : tokenTTL),
    AuthorizationCode: 60,
    ClientCredentials: tokenTTL,
    Grant: 14 * 24 * 3600,
    IdToken: Number(process.env.ID_TOKEN_TTL ?? 3600),
    Interaction: 3600,
    RefreshToken: 24 * 3600,
    Session: 24 * 3600,
  },
  pkce: { required: () => true },
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: (_ctx, token) => token.clientId === 'proxy-web',
  rotateRefreshToken: true,
  async findAccount(_ctx, sub) {
    const person = bySub(sub);
    if (!person || person.blocked) return undefined;
    return { accountId: sub, claims: () => ({ sub, ...claimsOf(person) }) };
  },
  extraTokenClaims(_ctx, token) {
    const person = bySub(token.accountId);
    return token.aud === RESOURCE && person ? claimsOf(person) : undefined;
  },
  // The library does not call loopback addresses; relying parties under test live there.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (ctx, form) => devicePage(ctx, form, 'op.deviceInputForm', 'Which code does your device show?'),
      userCodeConfirmSource: (ctx, form, client, _device, code) => devicePage(ctx, form, 'op.deviceConfirmForm', `Is ${code} what ${client.clientId} shows?`),
      successSource: (ctx) => devicePage(ctx, '', '', 'Go back to your device.'),
    },
    introspection: { enabled: true },
    revocation: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource(ctx, form) {
        ctx.body = `<!DOCTYPE html><title>Sign out</title>${form}
          <button type="submit" form="op.logoutForm" value="yes" name="logout">Sign out</button>`;
      },
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        audience: resource,
        scope: 'openid profile email telemetry:read',
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  acrValues: ['gold'],
  interactions: { policy, url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  renderError(ctx, out) {
    ctx.type = 'text/plain';
    ctx.body = `${out.error}: ${out.error_description ?? ''}\n`;
  },
});
provider.on('server_error', (_ctx, err) => console.error(err));
provider.on('grant.error', (_ctx, err) => console.log('grant refused:', err.error_detail ?? err.message));

const interactions = new Interactions(provider, people);
const fixture = new Fixture(state, people);
const library = provider.callback();
const server = createServer(async (req, res) => {
  try {
    if (await interactions.serve(req, res) || await fixture.serve(req, res)) return;
    await library(req, res);
  } catch (err) {
    console.error(err);
    res.writeHead(500).end();
  }
});
const { hostname, port } = new URL(issuer);
server.listen(Number(port), hostname);

process.on('SIGTERM', () => {
  state.save();
  process.exit(0);
});

function devicePage(ctx, form, id, text) {
  const button = id ? `<button type="submit" form="${id}">Go on</button>` : '';
  ctx.body = `<!DOCTYPE html><title>Sign in for a device</title><p>${text}</p>${form}${button}`;
}

function newKeys() {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return { keys: [{ ...key, use: 'sig', alg: 'RS256', kid: randomBytes(8).toString('hex') }] };
}
