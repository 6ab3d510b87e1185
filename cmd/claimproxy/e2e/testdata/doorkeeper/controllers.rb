# What is ours and not the gems': the sign-in form, and switches for tests.

class SessionsController < ActionController::Base
  PAGE = <<~HTML.freeze
    <!DOCTYPE html><html><head><meta charset="utf-8"><title>Sign in</title></head><body>
    <p id="alert"><%= @alert %></p>
    <%= form_tag '/users/sign_in', method: :post do %>
      <label>Username <%= text_field_tag 'user[login]' %></label>
      <label>Password <%= password_field_tag 'user[password]' %></label>
      <%= submit_tag 'Sign in' %>
    <% end %></body></html>
  HTML

  def new
    render inline: PAGE
  end

  def create
    user = User.find_by(username: params.dig(:user, :login).to_s)
    if user && !user.field('blocked') && user.field('password') == params.dig(:user, :password)
      back = session[:return_to] || '/'
      reset_session
      session[:user_id] = user.id
      user.update!(current_sign_in_at: Time.now.utc)
      redirect_to back
    else
      @alert = 'Invalid login or password.'
      render inline: PAGE, status: :unauthorized
    end
  end

  def destroy
    reset_session
    redirect_to '/users/sign_in'
  end

  def home
    user = User.find_by(id: session[:user_id])
    render plain: user ? "signed in as #{user.username}\n" : "not signed in\n"
  end
end

# Lets a test change people, tokens and clients while sessions are alive.
class FixtureController < ActionController::API
  before_action { @body = request.raw_post.empty? ? {} : JSON.parse(request.raw_post) }

  # A JSON object, merged into the person: groups, blocked, name, ... An unknown person is made.
  def person
    user = User.find_or_initialize_by(username: params[:username])
    data = user.data || BLANK_PERSON.merge('username' => params[:username])
    user.update!(data: data.merge(@body))
    user.update!(data: user.data.merge('id' => user.id))
    render json: user.data
  end

  # Ends every token of the person.
  def revoke
    render json: { revoked: live.update_all(revoked_at: Time.now.utc) }
  end

  # Makes every access token of the person older than its life; the refresh tokens stay good.
  def expire
    render json: { expired: live.update_all(created_at: Time.now.utc - 10 * 24 * 3600) }
  end

  # Registers further redirect URIs of a client, as an administrator does on GitLab's page.
  def client
    app = Doorkeeper::Application.find_by!(uid: params[:uid])
    app.with_lock do
      app.update!(redirect_uri: (app.redirect_uri.split | @body.fetch('redirect_uris')).join("\n"))
    end
    render json: { redirect_uris: app.redirect_uri.split }
  end

  private

  def live
    user = User.find_by!(username: params[:username])
    Doorkeeper::AccessToken.where(resource_owner_id: user.id, revoked_at: nil)
  end
end
