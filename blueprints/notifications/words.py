"""What the shop's e-mails say, as Jinja2 templates: by language and kind, a subject and paragraphs.

Each is rendered once, and its paragraphs are then sent as plain text and within `HTML`, where everything is
escaped. They
lie in a module because a package is what a service imports (decision 55).
"""

from __future__ import annotations

from shared.contracts.accounts import Language

Words = dict[str, str]

EN: Words = {
    "welcome": """{% block subject %}Welcome to our news{% endblock %}
{% block body %}
You asked to be told of more than your orders. We write rarely, and you can change your mind at any time in your
account.
{% endblock %}""",
    "order_confirmed": """{% block subject %}Your order {{ order_id }} is confirmed{% endblock %}
{% block body %}
Thank you. Your order {{ order_id }} of {{ at | day }} is confirmed, and its total of {{ total | money }} is paid.

We tell you when it is on its way.
{% endblock %}""",
    "order_cancelled": """{% block subject %}Your order {{ order_id }} is cancelled{% endblock %}
{% block body %}
{% if reason == "out_of_stock" -%}
Your order {{ order_id }} is cancelled: what you ordered is not in stock any more. We are sorry.
{%- elif reason == "payment_declined" -%}
Your order {{ order_id }} is cancelled: your payment was declined. You can order again with another means of payment.
{%- elif reason == "customer_request" -%}
Your order {{ order_id }} is cancelled, as you wished.
{%- elif reason == "not_approved" -%}
Your order {{ order_id }} is cancelled: we could not accept it. We are sorry. If you have questions, please ask us.
{%- else -%}
Your order {{ order_id }} is cancelled: we could not complete it in time. We are sorry. You can order again.
{%- endif %}

Nothing is taken from your account for it; what was reserved is given back.
{% endblock %}""",
    "erasure_requested": """{% block subject %}You asked us to forget you{% endblock %}
{% block body %}
On {{ at | day }} you asked us to erase your account. We begin on {{ due_at | day }}.

If it was not you, or if you think better of it, withdraw it in your account until then. Its number is {{ erasure_id
}}.
{% endblock %}""",
    "erasure_withdrawn": """{% block subject %}Your account stays{% endblock %}
{% block body %}
You have withdrawn the erasure {{ erasure_id }}. Your account stays as it is.
{% endblock %}""",
    "erasure_done": """{% block subject %}Your account is erased{% endblock %}
{% block body %}
{% if complete -%}
Your account and what we held of you are erased. This is the last we write to you.
{%- else -%}
Your account is erased. Part of our systems has not confirmed its share yet; our staff sees to it. This is the last
we write to you.
{%- endif %}

The certificate {{ erasure_id }} says what was erased, and what the law makes us keep.
{% endblock %}""",
    "export_ready": """{% block subject %}What we hold of you is ready to be downloaded{% endblock %}
{% block body %}
You asked us what we hold of you. You can download it in your account until {{ due_at | moment }}. Its number is {{
export_id }}.

{% if not complete -%}
Part of our systems has not told its share yet; our staff sees to it. What is missing is named in it. You can ask again.

{% endif -%}
If it was not you, withdraw it in your account, and sign in anew.
{% endblock %}""",
}
DE: Words = {
    "welcome": """{% block subject %}Willkommen bei unseren Neuigkeiten{% endblock %}
{% block body %}
Sie möchten mehr erfahren als den Stand Ihrer Bestellungen. Wir schreiben selten, und Sie können es in Ihrem Konto
jederzeit ändern.
{% endblock %}""",
    "order_confirmed": """{% block subject %}Ihre Bestellung {{ order_id }} ist bestätigt{% endblock %}
{% block body %}
Vielen Dank. Ihre Bestellung {{ order_id }} vom {{ at | day }} ist bestätigt, und der Betrag von {{ total | money }}
ist bezahlt.

Wir melden uns, sobald sie unterwegs ist.
{% endblock %}""",
    "order_cancelled": """{% block subject %}Ihre Bestellung {{ order_id }} ist storniert{% endblock %}
{% block body %}
{% if reason == "out_of_stock" -%}
Ihre Bestellung {{ order_id }} ist storniert: Was Sie bestellt haben, ist nicht mehr vorrätig. Das tut uns leid.
{%- elif reason == "payment_declined" -%}
Ihre Bestellung {{ order_id }} ist storniert: Ihre Zahlung wurde abgelehnt. Sie können mit einem anderen
Zahlungsmittel neu bestellen.
{%- elif reason == "customer_request" -%}
Ihre Bestellung {{ order_id }} ist storniert, wie Sie es wünschten.
{%- elif reason == "not_approved" -%}
Ihre Bestellung {{ order_id }} ist storniert: Wir konnten sie nicht annehmen. Das tut uns leid. Haben Sie Fragen, so
wenden Sie sich an uns.
{%- else -%}
Ihre Bestellung {{ order_id }} ist storniert: Wir konnten sie nicht rechtzeitig abschließen. Das tut uns leid. Sie
können neu bestellen.
{%- endif %}

Dafür wird nichts von Ihrem Konto abgebucht; was vorgemerkt war, wird freigegeben.
{% endblock %}""",
    "erasure_requested": """{% block subject %}Sie möchten, dass wir Ihre Daten löschen{% endblock %}
{% block body %}
Am {{ at | day }} haben Sie uns gebeten, Ihr Konto zu löschen. Wir beginnen am {{ due_at | day }}.

Waren Sie das nicht, oder überlegen Sie es sich anders, so widerrufen Sie es bis dahin in Ihrem Konto. Die Nummer
ist {{ erasure_id }}.
{% endblock %}""",
    "erasure_withdrawn": """{% block subject %}Ihr Konto bleibt bestehen{% endblock %}
{% block body %}
Sie haben die Löschung {{ erasure_id }} widerrufen. Ihr Konto bleibt, wie es ist.
{% endblock %}""",
    "erasure_done": """{% block subject %}Ihr Konto ist gelöscht{% endblock %}
{% block body %}
{% if complete -%}
Ihr Konto und was wir von Ihnen hatten sind gelöscht. Dies ist unser letztes Schreiben an Sie.
{%- else -%}
Ihr Konto ist gelöscht. Ein Teil unserer Systeme hat seinen Anteil noch nicht bestätigt; wir kümmern uns darum. Dies
ist unser letztes Schreiben an Sie.
{%- endif %}

Die Bescheinigung {{ erasure_id }} nennt, was gelöscht wurde und was wir von Gesetzes wegen behalten.
{% endblock %}""",
    "export_ready": """{% block subject %}Was wir von Ihnen haben, steht zum Herunterladen bereit{% endblock %}
{% block body %}
Sie haben uns gefragt, was wir von Ihnen haben. Sie können es bis {{ due_at | moment }} in Ihrem Konto herunterladen.
Die Nummer ist {{ export_id }}.

{% if not complete -%}
Ein Teil unserer Systeme hat seinen Anteil noch nicht genannt; wir kümmern uns darum. Was fehlt, steht darin. Sie können
noch einmal fragen.

{% endif -%}
Waren Sie das nicht, so widerrufen Sie es in Ihrem Konto und melden sich neu an.
{% endblock %}""",
}
BY_LANGUAGE: dict[Language, Words] = {"en": EN, "de": DE}

HTML = """<!doctype html>
<html lang="{{ language }}"><head><meta charset="utf-8"><title>{{ subject }}</title></head>
<body style="margin:0;padding:1.5rem;background:#f4f4f4;color:#1b1f24;font:1rem/1.5 sans-serif">
<div style="max-width:36rem;margin:0 auto;padding:1.5rem;background:#fff">
<h1 style="margin:0 0 1rem;font-size:1.25rem">{{ subject }}</h1>
{% for paragraph in paragraphs %}<p style="margin:0 0 1rem">{{ paragraph }}</p>
{% endfor %}</div></body></html>
"""
