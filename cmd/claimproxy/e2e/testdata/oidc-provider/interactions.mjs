// The sign-in form and the consent form, in place of oidc-provider's development interactions.
const page = (title, body) => `<!DOCTYPE html><html><head><meta charset="utf-8"><title>${title}</title></head><body>${body}</body></html>`;

const signInPage = (uid, alert = '') => page('Sign in', `
  <p id="alert">${alert}</p>
  <form method="post" action="/interaction/${uid}/login">
    <label>Username <input type="text" name="login"></label>
    <label>Password <input type="password" name="password"></label>
    <input type="submit" name="commit" value="Sign in">
  </form>`);

const consentPage = (uid, client) => page('Authorize', `
  <h1>Authorize ${client}?</h1>
  <form method="post" action="/interaction/${uid}/abort"><input type="submit" name="commit" value="Deny"></form>
  <form method="post" action="/interaction/${uid}/confirm"><input type="submit" name="commit" value="Authorize"></form>`);

export class Interactions {
  #provider;

  #people;

  constructor(provider, people) {
    this.#provider = provider;
    this.#people = people;
  }

  // Answers requests below /interaction/ and says whether this was one.
  async serve(req, res) {
    const [, uid, action] = /^\/interaction\/([\w-]+)(?:\/(login|confirm|abort))?$/.exec(req.url) ?? [];
    if (!uid) return false;
    const details = await this.#provider.interactionDetails(req, res);
    const finish = (result) => this.#provider.interactionFinished(req, res, result);
    switch (`${req.method} ${action ?? ''}`) {
      case 'GET ':
        html(res, 200, details.prompt.name === 'login' ? signInPage(uid) : consentPage(uid, details.params.client_id));
        break;
      case 'POST login': {
        const form = new URLSearchParams(await text(req));
        const person = this.#people[form.get('login')];
        if (!person || person.blocked || person.password !== form.get('password')) {
          html(res, 401, signInPage(uid, 'Invalid login or password.'));
          break;
        }
        const gold = details.params.acr_values?.split(' ').includes('gold') ? { acr: 'gold' } : {};
        await finish({ login: { accountId: String(person.id), ...gold } });
        break;
      }
      case 'POST confirm':
        await finish({ consent: { grantId: await this.#grant(details) } });
        break;
      case 'POST abort':
        await finish({ error: 'access_denied', error_description: 'the person said no' });
        break;
      default:
        html(res, 405, page('Not allowed', ''));
    }
    return true;
  }

  // Grants everything that the request asks for.
  async #grant({ grantId, params, prompt, session }) {
    const { Grant } = this.#provider;
    const grant = grantId
      ? await Grant.find(grantId)
      : new Grant({ accountId: session.accountId, clientId: params.client_id });
    const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
    if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
    if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
    for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
      grant.addResourceScope(resource, scopes.join(' '));
    }
    return grant.save();
  }
}

function html(res, status, body) {
  res.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' }).end(body);
}

export async function text(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
