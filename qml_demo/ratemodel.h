// SPDX-License-Identifier: MIT
#ifndef RATEMODEL_H
#define RATEMODEL_H

#include "qsseevent.h"

#include <QtCore/QAbstractListModel>
#include <QtCore/QDate>
#include <QtCore/QJsonObject>
#include <QtCore/QTimer>
#include <QtQml/qqmlregistration.h>

#include <vector>

/*!
    What an event stream of the ticker has told so far: a row for each currency pair, the latest
    rate in it, and how many ticks never arrived.
*/
class RateModel : public QAbstractListModel
{
    Q_OBJECT
    QML_ELEMENT
    Q_PROPERTY(QDate date READ date NOTIFY statisticsChanged FINAL)
    Q_PROPERTY(qint64 received READ received NOTIFY statisticsChanged FINAL)
    Q_PROPERTY(qint64 lost READ lost NOTIFY statisticsChanged FINAL)

public:
    enum Role {
        CodeRole = Qt::UserRole,
        NameRole,
        RateRole,
        ChangeRole,
        PercentRole,
        DirectionRole,
        HistoryRole,
        SeqRole,
    };

    explicit RateModel(QObject *parent = nullptr);

    int rowCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;
    QHash<int, QByteArray> roleNames() const override;

    /*! The latest day a rate came from. */
    QDate date() const { return m_date; }
    qint64 received() const { return m_received; }
    /*! How many ticks are missing between those that came. */
    qint64 lost() const { return m_lost; }

    /*! Takes in an event of the stream. */
    Q_INVOKABLE void apply(const QSseEvent &event);

Q_SIGNALS:
    void statisticsChanged();

private:
    struct Row
    {
        QString code; // of the currency that one euro is quoted in
        double rate = 0;
        double previous = 0;
        qint64 seq = 0;
        QList<qreal> history = {};
        bool changed = false; // since the last showChanges()
    };

    int rowOf(const QString &code);
    void count(const Row &row, qint64 seq);
    void showChanges();

    std::vector<Row> m_rows;
    QDate m_date;
    qint64 m_received = 0;
    qint64 m_lost = 0;
    QTimer m_changesTimer;
};

#endif // RATEMODEL_H
