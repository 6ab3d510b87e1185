// A Qt program that reads from an application behind claimproxy, knowing its address alone.
// docs/native-clients.md explains it step by step, and the end-to-end tests run it.
//
// It needs Qt 6 with Qt Network Authorization. Before 6.8 that has no PKCE (RFC 7636), so it is
// added here by hand: three lines, and good for later versions as well.

#include <QAbstractOAuth>
#include <QCoreApplication>
#include <QCryptographicHash>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QNetworkAccessManager>
#include <QNetworkReply>
#include <QOAuth2AuthorizationCodeFlow>
#include <QOAuthHttpServerReplyHandler>
#include <QRandomGenerator>
#include <QRegularExpression>
#include <QTextStream>
#include <QUrl>

static QTextStream out(stdout);

// A secret of this sign-in (RFC 7636 section 4.1): 32 random bytes in base64url.
static QByteArray freshSecret()
{
    QByteArray bytes(32, Qt::Uninitialized);
    QRandomGenerator::system()->fillRange(reinterpret_cast<quint32 *>(bytes.data()), bytes.size() / 4);
    return bytes.toBase64(QByteArray::Base64UrlEncoding | QByteArray::OmitTrailingEquals);
}

class Tool : public QObject
{
public:
    explicit Tool(const QUrl &address) : m_address(address)
    {
        // A redirect would take the token along to wherever it leads.
        m_network.setRedirectPolicy(QNetworkRequest::ManualRedirectPolicy);
    }

    // Ask without a token. 401 says where to find out how to get one (RFC 9728 section 5.1).
    void start()
    {
        get(m_address, QString(), [this](int status, const QByteArray &, QNetworkReply *reply) {
            out << "before: " << status << Qt::endl;
            const auto m = QRegularExpression(QStringLiteral("resource_metadata=\"([^\"]+)\""))
                               .match(QString::fromLatin1(reply->rawHeader("WWW-Authenticate")));
            const QUrl metadata(m.captured(1));
            if (status != 401 || !sameOrigin(metadata))
                return fail(QStringLiteral("no challenge that leads anywhere"));
            get(metadata, QString(), [this](int, const QByteArray &body, QNetworkReply *) {
                const QUrl list(QJsonDocument::fromJson(body)[QStringLiteral("claimproxy_providers")].toString());
                if (!sameOrigin(list))
                    return fail(QStringLiteral("no list of providers"));
                get(list, QString(), [this](int, const QByteArray &body, QNetworkReply *) {
                    signIn(QJsonDocument::fromJson(body).array().first().toObject());
                });
            });
        });
    }

private:
    void signIn(const QJsonObject &provider)
    {
        const auto endpoints = provider[QStringLiteral("endpoints")].toObject();
        QStringList scopes;
        for (const auto scope : provider[QStringLiteral("scopes")].toArray())
            scopes << scope.toString();

        auto *redirect = new QOAuthHttpServerReplyHandler(QHostAddress::LocalHost, 0, this); // any port: RFC 8252 section 7.3
        redirect->setCallbackText(QStringLiteral("You may close this window."));
        m_oauth.setReplyHandler(redirect);
        m_oauth.setNetworkAccessManager(&m_network);
        m_oauth.setAuthorizationUrl(QUrl(endpoints[QStringLiteral("authorization")].toString()));
        m_oauth.setAccessTokenUrl(QUrl(endpoints[QStringLiteral("token")].toString()));
        m_oauth.setClientIdentifier(provider[QStringLiteral("client_id")].toString());
        m_oauth.setScope(scopes.join(QLatin1Char(' ')));
        m_oauth.setState(QString::fromLatin1(freshSecret()));

        const QByteArray verifier = freshSecret();
        const QByteArray challenge = QCryptographicHash::hash(verifier, QCryptographicHash::Sha256)
                                         .toBase64(QByteArray::Base64UrlEncoding | QByteArray::OmitTrailingEquals);
        m_oauth.setModifyParametersFunction([=](QAbstractOAuth::Stage stage, QMultiMap<QString, QVariant> *parameters) {
            if (stage == QAbstractOAuth::Stage::RequestingAuthorization) {
                parameters->insert(QStringLiteral("code_challenge"), QString::fromLatin1(challenge));
                parameters->insert(QStringLiteral("code_challenge_method"), QStringLiteral("S256"));
            } else if (stage == QAbstractOAuth::Stage::RequestingAccessToken) {
                parameters->insert(QStringLiteral("code_verifier"), QString::fromLatin1(verifier));
                // Qt before 6.9 sends a code as it came, percent-encoded, and has it encoded again.
                parameters->replace(QStringLiteral("code"), QUrl::fromPercentEncoding(parameters->value(QStringLiteral("code")).toByteArray()));
            }
        });

        // A program with a window says QDesktopServices::openUrl here.
        connect(&m_oauth, &QAbstractOAuth::authorizeWithBrowser, this,
                [](const QUrl &url) { out << "open: " << url.toString(QUrl::FullyEncoded) << Qt::endl; });
        connect(&m_oauth, &QAbstractOAuth2::error, this, [this](const QString &error, const QString &description, const QUrl &) {
            fail(error + QStringLiteral(": ") + description);
        });
        connect(&m_oauth, &QAbstractOAuth::granted, this, [this] { granted(); });
        m_oauth.grant();
    }

    // Comes after signing in, and after each refresh.
    void granted()
    {
        const QString token = m_oauth.token();
        get(m_address, token, [=](int status, const QByteArray &body, QNetworkReply *) {
            out << (m_refreshed ? "refreshed: " : "after: ") << status << ' ' << body.simplified() << Qt::endl;
            if (m_refreshed) {
                out << "another token: " << (token == m_first ? "no" : "yes") << Qt::endl;
                return QCoreApplication::exit(0);
            }
            m_refreshed = true;
            m_first = token;
            m_oauth.refreshAccessToken(); // a real program does so when 90 % of expirationAt() is over
        });
    }

    template<typename Then>
    void get(const QUrl &url, const QString &token, Then then)
    {
        QNetworkRequest request(url);
        request.setRawHeader("Accept", "application/json"); // Qt sends none by itself
        if (!token.isEmpty())
            request.setRawHeader("Authorization", "Bearer " + token.toLatin1());
        QNetworkReply *reply = m_network.get(request);
        connect(reply, &QNetworkReply::finished, this, [=] {
            reply->deleteLater();
            then(reply->attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt(), reply->readAll(), reply);
        });
    }

    // An application speaks for itself alone: what it names has to be on its own origin.
    bool sameOrigin(const QUrl &url) const
    {
        return url.scheme() == m_address.scheme() && url.host() == m_address.host() && url.port() == m_address.port();
    }

    void fail(const QString &why)
    {
        out << "failed: " << why << Qt::endl;
        QCoreApplication::exit(1);
    }

    QUrl m_address;
    QNetworkAccessManager m_network;
    QOAuth2AuthorizationCodeFlow m_oauth;
    QString m_first;
    bool m_refreshed = false;
};

int main(int argc, char **argv)
{
    QCoreApplication app(argc, argv);
    if (argc != 2) {
        out << "usage: telemetry-tool URL" << Qt::endl;
        return 2;
    }
    Tool tool{QUrl(QString::fromLocal8Bit(argv[1]))};
    tool.start();
    return app.exec();
}
