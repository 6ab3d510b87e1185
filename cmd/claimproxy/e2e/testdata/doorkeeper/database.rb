# The tables, and what is in them at the start: the people of PEOPLE and the clients below.
# The people of PEOPLE are reset at every start; everything else stays.

BLANK_PERSON = {
  'email_verified' => true, 'groups' => [], 'direct' => [],
  'owner' => [], 'maintainer' => [], 'developer' => [], 'blocked' => false
}.freeze

# RFC 8252 section 7.3: Doorkeeper ignores the port of literal loopback addresses, and of no name.
NATIVE_URIS = %w[http://127.0.0.1/ http://127.0.0.1/callback http://[::1]/ http://localhost:11450/].freeze
WEB_URIS    = %w[http://127.0.0.1/unused].freeze

CLIENTS = [
  # uid               secret                    confidential  trusted  redirect URIs
  ['proxy-web',       'proxy-web-secret',       true,         false,   WEB_URIS],
  ['proxy-trusted',   'proxy-trusted-secret',   true,         true,    WEB_URIS],
  ['other-web',       'other-web-secret',       true,         false,   NATIVE_URIS],
  ['native-public',   'unused-a',               false,        false,   NATIVE_URIS],
  ['native-foreign',  'unused-b',               false,        false,   NATIVE_URIS],
  ['native-brief',    'unused-c',               false,        false,   NATIVE_URIS],
  ['native-noexpiry', 'unused-d',               false,        false,   NATIVE_URIS],
  ['native-secret',   'native-secret-secret',   true,         false,   NATIVE_URIS]
].freeze

ActiveRecord::Base.connection.execute('PRAGMA journal_mode=WAL')
ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define do
  unless table_exists?(:users)
    create_table :users do |t|
      t.string :username, null: false, index: { unique: true }
      t.text :data, null: false
      t.datetime :current_sign_in_at
    end
    create_table :oauth_applications do |t|
      t.string :name, null: false
      t.string :uid, null: false, index: { unique: true }
      t.string :secret, null: false
      t.text :redirect_uri, null: false
      t.string :scopes, null: false, default: ''
      t.boolean :confidential, null: false, default: true
      t.boolean :trusted, null: false, default: false
      t.timestamps null: false
    end
    create_table :oauth_access_grants do |t|
      t.references :resource_owner, null: false
      t.references :application, null: false
      t.string :token, null: false, index: { unique: true }
      t.integer :expires_in, null: false
      t.text :redirect_uri, null: false
      t.datetime :created_at, null: false
      t.datetime :revoked_at
      t.string :scopes, null: false, default: ''
      t.string :code_challenge
      t.string :code_challenge_method
    end
    create_table :oauth_access_tokens do |t|
      t.references :resource_owner, index: true
      t.references :application
      t.string :token, null: false, index: { unique: true }
      t.string :refresh_token, index: { unique: true }
      t.integer :expires_in
      t.datetime :revoked_at
      t.datetime :created_at, null: false
      t.string :scopes
      t.string :previous_refresh_token, null: false, default: '' if ROTATION == 'on_use'
    end
    create_table :oauth_openid_requests do |t|
      t.references :access_grant, null: false, index: true
      t.string :nonce, null: false
    end
  end
end

JSON.parse(File.read(ENV.fetch('PEOPLE'))).each do |person|
  User.find_or_initialize_by(id: person['id']).update!(username: person['username'], data: person)
end

CLIENTS.each do |uid, secret, confidential, trusted, uris|
  app = Doorkeeper::Application.find_or_initialize_by(uid: uid)
  registered = app.redirect_uri.to_s.split
  app.update!(name: uid, secret: secret, confidential: confidential, trusted: trusted,
              redirect_uri: (uris | registered).join("\n"), scopes: 'openid profile email read_user read_api api')
end
