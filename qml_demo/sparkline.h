// SPDX-License-Identifier: MIT
#ifndef SPARKLINE_H
#define SPARKLINE_H

#include <QtCore/QList>
#include <QtGui/QColor>
#include <QtQuick/QQuickPaintedItem>

/*!
    A line through the latest values, with a dot on the last. Painted with QPainter, which is cheap
    at this size and works without a GPU.
*/
class Sparkline : public QQuickPaintedItem
{
    Q_OBJECT
    QML_ELEMENT
    Q_PROPERTY(QList<qreal> values READ values WRITE setValues NOTIFY valuesChanged FINAL)
    Q_PROPERTY(QColor color READ color WRITE setColor NOTIFY colorChanged FINAL)

public:
    explicit Sparkline(QQuickItem *parent = nullptr);

    QList<qreal> values() const { return m_values; }
    void setValues(const QList<qreal> &values);
    QColor color() const { return m_color; }
    void setColor(const QColor &color);

    void paint(QPainter *painter) override;

Q_SIGNALS:
    void valuesChanged();
    void colorChanged();

private:
    QList<qreal> m_values;
    QColor m_color;
};

#endif // SPARKLINE_H
