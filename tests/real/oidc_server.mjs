// oidc-provider (certified by the OpenID Foundation) with an API behind it: node oidc_server.mjs PORT FOLDER
// FOLDER has config.json {clients, ttl} and, for the server with client certificates, ca.pem, server.pem, server.key.
import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import Provider from 'oidc-provider';

const [port, folder] = process.argv.slice(2);
const { clients, ttl } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));

function configuration(mTLS) {
  return {
    clients: clients.filter((client) => mTLS || client.token_endpoint_auth_method !== 'tls_client_auth'),
    scopes: ['openid', 'offline_access', 'orders'],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none', ...(mTLS ? ['tls_client_auth'] : [])],
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: { AccessToken: ttl, ClientCredentials: ttl, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 3600, DeviceCode: 600, IdToken: 600 },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      ...(mTLS && {
        mTLS: {
          enabled: true,
          tlsClientAuth: true,
          certificateBoundAccessTokens: true,
          getCertificate: (ctx) => ctx.req.socket.getPeerX509Certificate()?.toString(),
          certificateAuthorized: (ctx) => ctx.req.socket.authorized,
          certificateSubjectMatches: (ctx, property, expected) => ctx.req.socket.getPeerX509Certificate().subject === expected,
        },
      }),
    },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  };
}

// An API for tokens of this server; DELETE revokes the one that it is shown, /grants counts the token requests by grant.
function serveOrders(provider) {
  const grants = {};
  provider.on('grant.success', (ctx) => {
    const type = ctx.oidc.params.grant_type;
    grants[type] = (grants[type] ?? 0) + 1;
  });
  provider.use(async (ctx, next) => {
    if (ctx.path === '/grants') {
      ctx.body = grants;
      return;
    }
    if (ctx.path !== '/orders') return next();
    const [scheme, value] = (ctx.get('authorization') || ' ').split(' ');
    const token = (await provider.AccessToken.find(value)) ?? (await provider.ClientCredentials.find(value));
    if (scheme !== 'Bearer' || !token || token.isExpired) {
      ctx.status = 401;
      ctx.set('WWW-Authenticate', 'Bearer error="invalid_token"');
    } else if (ctx.method === 'DELETE') {
      await token.destroy();
      ctx.status = 204;
    } else {
      ctx.body = [{ id: 1, client: token.clientId, account: token.accountId ?? null, bound: token['x5t#S256'] ?? null }];
    }
  });
}

const plain = new Provider(`http://127.0.0.1:${port}`, configuration(false));
let secure;
plain.use((ctx, next) => {
  if (ctx.path === '/secure') ctx.body = { url: secure };
  else return next();
});
serveOrders(plain);

const files = Object.fromEntries(['ca.pem', 'server.pem', 'server.key'].map((name) => [name, readFileSync(join(folder, name))]));
const options = { ca: files['ca.pem'], cert: files['server.pem'], key: files['server.key'], requestCert: true, rejectUnauthorized: false };
const server = createServer(options);
server.listen(0, '127.0.0.1', () => {
  secure = `https://localhost:${server.address().port}`;
  const provider = new Provider(secure, configuration(true));
  serveOrders(provider);
  server.on('request', provider.callback());
  plain.listen(Number(port), '127.0.0.1');
});
