# GitLab's OpenID Provider without GitLab: a minimal Rails application around Doorkeeper and
# Doorkeeper OpenID Connect, the two gems that GitLab's provider is made of, unmodified from
# Debian, with GitLab's paths, claims and lifetimes.
#
# Environment: ISSUER, STATE_DIR and PEOPLE (a JSON file) are needed;
# TOKEN_TTL, CODE_TTL, ID_TOKEN_TTL (seconds) and ROTATION (instant or on_use) have defaults.
require 'json'
require 'openssl'
require 'digest'
require 'securerandom'
require 'action_controller/railtie'
require 'active_record/railtie'
require 'sqlite3'
require 'doorkeeper'
require 'doorkeeper/openid_connect'

STATE     = ENV.fetch('STATE_DIR')
ISSUER    = ENV.fetch('ISSUER')
TOKEN_TTL = Integer(ENV.fetch('TOKEN_TTL', '7200'))
# instant: a refresh kills the old pair at once, as GitLab documents it.
# on_use: the old pair lives until the new access token is used, Doorkeeper's stock schema.
ROTATION  = ENV.fetch('ROTATION', 'instant')

# Makes a secret on the first start and finds it again on the next.
def kept(name)
  path = File.join(STATE, name)
  File.write(path, yield, perm: 0o600) unless File.size?(path)
  File.read(path)
end

ENV['DATABASE_URL'] = "sqlite3:#{File.join(STATE, 'db.sqlite3')}?pool=32"
SIGNING_KEY = kept('signing_key.pem') { OpenSSL::PKey::RSA.new(2048).to_pem }
SECRET_BASE = kept('secret_key_base') { SecureRandom.hex(64) }

class GitlabLike < Rails::Application
  config.root = __dir__
  config.load_defaults 6.1
  config.eager_load = true
  config.paths['app/views'] = ['views']
  config.paths['log'] = File.join(STATE, 'rails.log')
  config.paths['tmp'] = File.join(STATE, 'tmp')
  config.secret_key_base = SECRET_BASE
  config.session_store :cookie_store, key: '_gitlab_session', same_site: :lax
  config.consider_all_requests_local = false
  config.hosts.clear
  config.logger = ActiveSupport::Logger.new($stdout)
  config.log_level = :info
  config.active_record.legacy_connection_handling = false if config.active_record.respond_to?(:legacy_connection_handling=)
  config.action_dispatch.show_exceptions = true
end

# sqlite has no row locks. Taking the write lock when a transaction begins makes Doorkeeper's
# "lock the row, then look whether it is revoked" behave as it does on GitLab's PostgreSQL.
#
# Who waits for the lock sleeps in Ruby: sqlite's own waiting would keep all other threads of
# this process from running, the one that holds the lock among them.
module OneWriter
  def begin_db_transaction
    log('begin immediate transaction', 'TRANSACTION') { @connection.execute('begin immediate transaction') }
  end

  def configure_connection
    super
    @connection.busy_handler do |count|
      sleep(0.002)
      count < 10_000
    end
  end
end

ActiveSupport.on_load(:active_record) do
  require 'active_record/connection_adapters/sqlite3_adapter'
  ActiveRecord::ConnectionAdapters::SQLite3Adapter.prepend(OneWriter)
end

class User < ActiveRecord::Base
  serialize :data, JSON

  def self.active
    all.reject { |u| u.data['blocked'] }
  end

  def field(name)
    data[name]
  end
end

Doorkeeper.configure do
  orm :active_record
  default_generator_method :hex
  resource_owner_authenticator do
    user = User.find_by(id: session[:user_id])
    if user && !user.field('blocked')
      user
    else
      session[:return_to] = request.fullpath
      redirect_to '/users/sign_in'
      nil
    end
  end
  use_refresh_token
  enforce_configured_scopes
  force_ssl_in_redirect_uri false
  default_scopes :api
  optional_scopes :read_user, :read_api, :openid, :profile, :email
  access_token_methods :from_access_token_param, :from_bearer_authorization, :from_bearer_param
  access_token_expires_in TOKEN_TTL
  authorization_code_expires_in Integer(ENV.fetch('CODE_TTL', '600'))
  custom_access_token_expires_in do |context|
    case context.client.uid
    when 'native-brief' then 6
    when 'native-noexpiry' then Float::INFINITY
    end
  end
  grant_flows %w[authorization_code client_credentials]
  skip_authorization { |_owner, client| client.application.trusted }
end

Doorkeeper::OpenidConnect.configure do
  issuer ISSUER
  signing_key SIGNING_KEY
  protocol { :http }
  expiration Integer(ENV.fetch('ID_TOKEN_TTL', '120'))
  resource_owner_from_access_token { |token| User.active.find { |u| u.id == token.resource_owner_id } }
  auth_time_from_resource_owner { |user| user.current_sign_in_at }
  reauthenticate_resource_owner do |_user, return_to|
    session[:user_id] = nil
    session[:return_to] = return_to
    redirect_to '/users/sign_in'
  end
  select_account_for_resource_owner do |_user, return_to|
    session[:user_id] = nil
    session[:return_to] = return_to
    redirect_to '/users/sign_in'
  end
  subject { |user| user.id }

  both = %i[id_token user_info]
  claims do
    claim(:sub_legacy, scope: :openid, response: both) { |u| Digest::SHA256.hexdigest("#{u.id}-#{SECRET_BASE}") }
    claim(:name, scope: :openid) { |u| u.field('name') }
    claim(:nickname, scope: :openid) { |u| u.username }
    claim(:preferred_username, scope: :openid) { |u| u.username }
    # With scope email the address; otherwise the public address, which our people do not have.
    claim(:email, scope: :openid, response: both) { |u, scopes| u.field('email') if scopes.exists?(:email) }
    claim(:email_verified, scope: :openid, response: both) { |u, scopes| u.field('email_verified') if scopes.exists?(:email) }
    claim(:profile, scope: :openid) { |u| "#{ISSUER}/#{u.username}" }
    claim(:picture, scope: :openid) { |u| "#{ISSUER}/uploads/-/system/user/avatar/#{u.id}/avatar.png" }
    claim(:groups, scope: :openid) { |u| u.field('groups') }
    claim(:groups_direct, scope: :openid, response: [:id_token]) { |u| u.field('direct') }
    %w[owner maintainer developer].each do |role|
      claim("https://gitlab.org/claims/groups/#{role}", scope: :openid) { |u| u.field(role).presence }
    end
  end
end

require_relative 'controllers'

GitlabLike.initialize!

require_relative 'database'

# GitLab adds the two deprecated aliases to Doorkeeper's reply.
class GitlabTokenInfoController < Doorkeeper::TokenInfoController
  protected

  def doorkeeper_token_to_json
    info = doorkeeper_token.as_json
    info.merge('scopes' => info[:scope], 'expires_in_seconds' => info[:expires_in])
  end
end

GitlabLike.routes.draw do
  use_doorkeeper do
    controllers token_info: 'gitlab_token_info'
    skip_controllers :applications, :authorized_applications
  end
  use_doorkeeper_openid_connect
  get '/users/sign_in', to: 'sessions#new'
  post '/users/sign_in', to: 'sessions#create'
  get '/users/sign_out', to: 'sessions#destroy'
  root to: 'sessions#home'
  put '/_fixture/people/:username', to: 'fixture#person'
  post '/_fixture/people/:username/revoke', to: 'fixture#revoke'
  post '/_fixture/people/:username/expire', to: 'fixture#expire'
  put '/_fixture/clients/:uid', to: 'fixture#client'
end
