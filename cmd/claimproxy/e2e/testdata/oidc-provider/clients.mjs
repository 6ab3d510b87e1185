// The clients that are registered from the start, under the names that the other provider has too.
const native = {
  application_type: 'native', // its loopback redirect URIs match with any port (RFC 8252 section 7.3)
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/', 'http://127.0.0.1/callback', 'http://localhost:11450/'],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
};
const web = {
  redirect_uris: ['http://127.0.0.1/unused'],
  grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
};

export const clients = [
  { client_id: 'proxy-web', client_secret: 'proxy-web-secret', ...web },
  { client_id: 'other-web', client_secret: 'other-web-secret', ...web, application_type: 'native', redirect_uris: native.redirect_uris },
  { client_id: 'native-public', ...native },
  { client_id: 'native-foreign', ...native },
  { client_id: 'native-brief', ...native },
  { client_id: 'native-secret', client_secret: 'native-secret-secret', ...native, token_endpoint_auth_method: 'client_secret_basic' },
];
