// SPDX-License-Identifier: MIT
// The example llm_stream, run against a fake of an endpoint of the OpenAI kind.

#include "childprocess.h"
#include "headfield.h"
#include "loopback.h"

#include <QtCore/QJsonArray>
#include <QtCore/QJsonDocument>
#include <QtCore/QJsonObject>
#include <QtNetwork/QTcpServer>
#include <QtNetwork/QTcpSocket>
#include <QtTest/QtTest>

using namespace Qt::StringLiterals;

namespace {

constexpr char Key[] = "sk-of-the-test";
constexpr char Question[] = "Wie groß ist \"der\" Mond?";

/*! Takes requests, and answers the latest as the test says. */
class FakeModel
{
public:
    FakeModel()
    {
        QObject::connect(&m_server, &QTcpServer::newConnection, &m_server, [this] { accept(); });
        m_server.listen(QHostAddress::LocalHost);
    }

    QByteArray url() const
    {
        return "http://127.0.0.1:" + QByteArray::number(m_server.serverPort())
            + "/v1/chat/completions";
    }
    int connections() const { return m_connections; }
    /*! Whether the request has come, with its body. */
    bool isAsked() const
    {
        const qsizetype end = m_got.indexOf("\r\n\r\n");
        return end >= 0 && m_got.size() - end - 4 >= header("Content-Length").toInt();
    }
    QByteArray requestLine() const { return m_got.left(m_got.indexOf("\r\n")); }
    QByteArray header(const QByteArray &name) const
    {
        return headField(m_got.left(m_got.indexOf("\r\n\r\n")), name);
    }
    QJsonObject body() const
    {
        return QJsonDocument::fromJson(m_got.mid(m_got.indexOf("\r\n\r\n") + 4)).object();
    }

    /*! Begins a stream, in chunks or until the end of the connection. */
    void begin(bool isChunked = true)
    {
        m_isChunked = isChunked;
        write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
              + QByteArray(isChunked ? "Transfer-Encoding: chunked" : "Connection: close")
              + "\r\n\r\n");
    }
    void send(const QByteArray &bytes)
    {
        write(m_isChunked ? QByteArray::number(bytes.size(), 16) + "\r\n" + bytes + "\r\n" : bytes);
    }
    void sendDelta(const QByteArray &delta)
    {
        send("data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":"
             + delta + ",\"finish_reason\":null}]}\n\n");
    }
    void sendToken(const QByteArray &json) { sendDelta("{\"content\":" + json + "}"); }
    /*! Answers without a stream. */
    void refuse(const QByteArray &status, const QByteArray &body, const QByteArray &type)
    {
        write("HTTP/1.1 " + status + "\r\nContent-Type: " + type
              + "\r\nContent-Length: " + QByteArray::number(body.size()) + "\r\n\r\n" + body);
    }
    void reset()
    {
        resetOnClose(int(m_socket->socketDescriptor()));
        m_socket->abort();
    }
    void end() { m_socket->disconnectFromHost(); }

private:
    void accept()
    {
        m_socket = m_server.nextPendingConnection();
        m_got.clear();
        ++m_connections;
        m_socket->setSocketOption(QAbstractSocket::LowDelayOption, 1);
        QObject::connect(m_socket, &QTcpSocket::readyRead, m_socket,
                         [this] { m_got += m_socket->readAll(); });
    }
    void write(const QByteArray &bytes)
    {
        m_socket->write(bytes);
        m_socket->flush();
    }

    QTcpServer m_server;
    QTcpSocket *m_socket = nullptr; // of the server
    QByteArray m_got;
    int m_connections = 0;
    bool m_isChunked = false;
};

/*! The example at work. */
class LlmStream : public ChildProcess
{
public:
    explicit LlmStream(const QByteArray &url, const QByteArrayList &arguments = { Question })
        : ChildProcess(QStringLiteral(QSSE_LLM_STREAM),
                       QByteArrayList { "--url", url, "--model", "m" } + arguments)
    {
        // The machine's proxy has nothing to do with this.
        setEnvironment({ QByteArray("OPENAI_API_KEY=") + Key, "http_proxy=" });
    }

    bool hasFailed()
    {
        return waitForFinished() && exitCode() == 1 && errors().count('\n') == 1
            && errors().trimmed().size() > 0 && !(output() + errors()).contains(Key);
    }
};

} // namespace

class tst_LlmStream : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void request();
    void keyAndPromptFromElsewhere();
    void help();

    void answer_data();
    void answer();

    void refused_data();
    void refused();
    void cut_data();
    void cut();
    void badChunk_data();
    void badChunk();
    void noServer_data();
    void noServer();
};

void tst_LlmStream::request()
{
    FakeModel model;
    LlmStream program(model.url());
    program.start();
    QTRY_VERIFY(model.isAsked());
    QCOMPARE(model.requestLine(), QByteArray("POST /v1/chat/completions HTTP/1.1"));
    QCOMPARE(model.header("Authorization"), "Bearer " + QByteArray(Key));
    QCOMPARE(model.header("Content-Type"), QByteArray("application/json"));
    QCOMPARE(model.header("Accept"), QByteArray("text/event-stream"));
    const QJsonObject message { { u"role"_s, u"user"_s },
                                { u"content"_s, QString::fromUtf8(Question) } };
    const QJsonObject expected { { u"model"_s, u"m"_s },
                                 { u"stream"_s, true },
                                 { u"messages"_s, QJsonArray { message } } };
    QCOMPARE(model.body(), expected);
}

void tst_LlmStream::keyAndPromptFromElsewhere()
{
    FakeModel model;
    LlmStream program(model.url(), { "--key", "another" });
    program.start("from\nthe input");
    QTRY_VERIFY(model.isAsked());
    QCOMPARE(model.header("Authorization"), QByteArray("Bearer another"));
    QCOMPARE(model.body().value(u"messages")[0][u"content"].toString(), u"from\nthe input"_s);

    // A server of one's own needs none.
    LlmStream keyless(model.url());
    keyless.setEnvironment({ "OPENAI_API_KEY=", "http_proxy=" });
    keyless.start();
    QTRY_COMPARE(model.connections(), 2);
    QTRY_VERIFY(model.isAsked());
    QCOMPARE(model.header("Authorization"), QByteArray());
}

void tst_LlmStream::help()
{
    LlmStream program("http://127.0.0.1/", { "--help" });
    program.start();
    QVERIFY(program.waitForFinished());
    QCOMPARE(program.exitCode(), 0);
    QVERIFY(program.output().contains("OPENAI_API_KEY"));
    QVERIFY(!program.output().contains(Key));
}

void tst_LlmStream::answer_data()
{
    QTest::addColumn<bool>("isChunked");
    QTest::newRow("in chunks") << true;
    QTest::newRow("until the connection ends") << false;
}

// Each token is printed before the next is sent.
void tst_LlmStream::answer()
{
    QFETCH(bool, isChunked);
    FakeModel model;
    LlmStream program(model.url());
    program.start();
    QTRY_VERIFY(model.isAsked());
    model.begin(isChunked);
    model.send(": OPENROUTER PROCESSING\n\n");
    model.sendDelta("{\"role\":\"assistant\"}");
    model.sendDelta("{\"role\":\"assistant\",\"content\":\"\"}");

    // What is sent, a JSON string, and what it says.
    const QList<QPair<QByteArray, QByteArray>> tokens {
        { "\"Der\"", "Der" },
        { "\" Mond\"", " Mond" },
        { "\" \u2248 3\u202f474 km\"", " \u2248 3\u202f474 km" },
        { "\" \U0001f319\"", " \U0001f319" },
        { "\" \\u00fcber \\ud83c\\udf0d\"", " \u00fcber \U0001f30d" },
        { "\"\\n\\t\\\"so\\\" \\\\ \\/\"", "\n\t\"so\" \\ /" },
        { "\"[DONE]\"", "[DONE]" },
        { "\"data: x\\n\\n\"", "data: x\n\n" },
    };
    QByteArray printed;
    for (const auto &[json, text] : tokens) {
        model.sendToken(json);
        model.send(": still here\n\n");
        printed += text;
        QTRY_COMPARE(program.output(), printed);
    }
    // A character that comes in two halves.
    const QByteArray event = "data: {\"choices\":[{\"delta\":{\"content\":\"\u20ac\"}}]}\n\n";
    const qsizetype middle = event.indexOf("\u20ac") + 1;
    model.send(event.left(middle));
    model.send(event.mid(middle));
    printed += "\u20ac";
    QTRY_COMPARE(program.output(), printed);

    QVERIFY(!program.isFinished());
    model.sendDelta("{}");
    model.send("data: {\"choices\":[],\"usage\":{\"total_tokens\":12}}\n\n");
    model.send("data: [DONE]\n\n");
    QVERIFY(program.waitForFinished());
    QCOMPARE(program.exitCode(), 0);
    QCOMPARE(program.output(), printed + '\n');
    QCOMPARE(program.errors(), QByteArray());
    QCOMPARE(model.connections(), 1);
}

void tst_LlmStream::refused_data()
{
    QTest::addColumn<QByteArray>("status");
    QTest::addColumn<QByteArray>("type");
    QTest::addColumn<QByteArray>("said");
    const QByteArray json = "application/json";
    QTest::newRow("bad key") << QByteArray("401 Unauthorized") << json << QByteArray("401");
    QTest::newRow("no such model") << QByteArray("404 Not Found") << json << QByteArray("404");
    QTest::newRow("too much") << QByteArray("429 Too Many Requests") << json << QByteArray("429");
    QTest::newRow("failed") << QByteArray("500 Oh No") << json << QByteArray("500");
    QTest::newRow("no stream") << QByteArray("200 OK") << json << json;
    QTest::newRow("stream, but 503")
        << QByteArray("503 Later") << QByteArray("text/event-stream") << QByteArray("503");
}

void tst_LlmStream::refused()
{
    QFETCH(QByteArray, status);
    QFETCH(QByteArray, type);
    QFETCH(QByteArray, said);
    FakeModel model;
    LlmStream program(model.url());
    program.start();
    QTRY_VERIFY(model.isAsked());
    model.refuse(status, "{\"error\":{\"message\":\"Bad key: " + QByteArray(Key) + "\"}}", type);
    QVERIFY2(program.hasFailed(), program.errors().constData());
    QVERIFY2(program.errors().contains(said), program.errors().constData());
    QCOMPARE(program.output(), QByteArray());
    QCOMPARE(model.connections(), 1);
}

void tst_LlmStream::cut_data()
{
    QTest::addColumn<bool>("isChunked");
    QTest::addColumn<bool>("isOrderly");
    QTest::newRow("ended too early") << false << true;
    QTest::newRow("ended in mid-chunks") << true << true;
    QTest::newRow("reset") << false << false;
    QTest::newRow("reset in mid-chunks") << true << false;
}

// It is never asked again.
void tst_LlmStream::cut()
{
    QFETCH(bool, isChunked);
    QFETCH(bool, isOrderly);
    FakeModel model;
    LlmStream program(model.url());
    program.start();
    QTRY_VERIFY(model.isAsked());
    model.begin(isChunked);
    model.sendToken("\"Der Mo\"");
    model.send("data: {\"choices\":[{\"del");
    QTRY_COMPARE(program.output(), QByteArray("Der Mo"));
    if (isOrderly)
        model.end();
    else
        model.reset();
    QVERIFY2(program.hasFailed(), program.errors().constData());
    QCOMPARE(program.output(), QByteArray("Der Mo\n"));
    QCOMPARE(model.connections(), 1);
}

void tst_LlmStream::badChunk_data()
{
    QTest::addColumn<QByteArray>("chunk");
    QTest::addColumn<QByteArray>("said");
    QTest::newRow("error") << QByteArray("{\"error\":{\"message\":\"over\\nloaded\",\"code\":529}}")
                           << QByteArray("over loaded");
    QTest::newRow("error as text")
        << QByteArray("{\"error\":\"overloaded\"}") << QByteArray("overloaded");
    QTest::newRow("beside choices") << QByteArray("{\"error\":{\"message\":\"overloaded\"},"
                                                  "\"choices\":[{\"delta\":{\"content\":\"x\"}}]}")
                                    << QByteArray("overloaded");
    QTest::newRow("no JSON") << QByteArray("Internal error") << QByteArray("JSON");
}

void tst_LlmStream::badChunk()
{
    QFETCH(QByteArray, chunk);
    QFETCH(QByteArray, said);
    FakeModel model;
    LlmStream program(model.url());
    program.start();
    QTRY_VERIFY(model.isAsked());
    model.begin();
    model.sendToken("\"Der\"");
    model.send("data: " + chunk + "\n\n");
    model.sendToken("\" Mond\"");
    QVERIFY2(program.hasFailed(), program.errors().constData());
    QVERIFY2(program.errors().contains(said), program.errors().constData());
    QCOMPARE(program.output(), QByteArray("Der\n"));
    QCOMPARE(model.connections(), 1);
}

void tst_LlmStream::noServer_data()
{
    QTest::addColumn<QByteArray>("url");
    QTcpServer server;
    QVERIFY(server.listen(QHostAddress::LocalHost));
    QTest::newRow("nobody listens")
        << "http://127.0.0.1:" + QByteArray::number(server.serverPort()) + "/";
    QTest::newRow("no URL") << QByteArray("v1/chat");
    QTest::newRow("another scheme") << QByteArray("ftp://127.0.0.1/");
}

void tst_LlmStream::noServer()
{
    QFETCH(QByteArray, url);
    LlmStream program(url);
    program.start();
    QVERIFY2(program.hasFailed(), program.errors().constData());
    QCOMPARE(program.output(), QByteArray());
}

QTEST_GUILESS_MAIN(tst_LlmStream)
#include "tst_llmstream.moc"
