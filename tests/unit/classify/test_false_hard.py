"""Is a refusal of the mail, the sender or the server ever called a dead address?

The texts are made up to be misread: they speak of the recipient, or say "unknown" and "does not exist", of something else.
"""

import pytest

from service.classify.engine import Classifier
from service.classify.groups import Group
from service.classify.reply import Reply
from service.model.words import Doubt

_TEXTS = """
550 5.7.1 Recipient does not accept mail from your domain
550 User jo@example.com not allowed to receive external mail
550 5.7.1 <jo@example.com>: recipient not on your allowed list
550 5.7.1 recipient not found in allowed recipients of this sender
550 User is not accepting mail from unknown senders
550 5.1.1 Mailbox not accepting messages from your IP
550 Recipient address not permitted for unauthenticated hosts
550 Your address is not in the recipient's address book
550 recipient not available to external senders
550 mailbox not found for this sender policy
550 Unknown user or sender blocked
550 5.7.1 The recipient is not authorised to receive your message
550 No such sender
550 the account you are sending from does not exist
550 sending user unknown
550 Your account does not exist or is suspended at your provider
550 invalid mailbox in MAIL FROM
550 From address user unknown
550 originator mailbox does not exist
550 5.1.0 Sender mailbox unknown
550 Sender account disabled
550 sender's account has been suspended for abuse
550 5.7.1 user quota for outbound mail exceeded
550 Your account has been disabled for sending spam
550 Account locked due to outgoing spam
550 Mail from inactive domain not accepted
550 Sender domain has been deactivated
550 Your mail account is closed
550 user unknown or not permitted from your network
550 5.1.1 Invalid recipient or policy block
550 Recipient rejected by policy
550 Recipient unknown to your license
550 This recipient is not accepting mail from bulk senders
550 The address you wrote to does not accept bulk mail
550 recipient refused: message looks like spam
550 unknown recipients in your message exceed our limit
550 You have sent to too many unknown users
550 Too many unknown users in this session
550 your host does not exist in DNS
550 Host not found for HELO name
550 HELO host does not exist
550 Client host does not exist
550 no such host: your HELO
550 sender host unknown
550 invalid hostname given by client
550 IP not found in SPF record
550 DKIM key not found
550 no valid DKIM key found for user
550 DNS record of sender domain not found
550 domain not found in our list of allowed senders
550 Recipient domain not allowed for relay
550 unknown relay user
550 no such relay account
550 invalid user credentials
535 user not found
550 authentication user unknown
550 Mailing list does not accept posts from non-members
550 group does not exist or you may not post
550 Not a valid sender for this list
550 list not found or closed
550 alias is restricted to internal users
550 this address is for internal use only
550 mailbox reserved for internal mail
550 address only reachable from inside
550 Postmaster only accepts mail from local
550 Message to this recipient must be encrypted
550 user requires TLS
550 recipient requires authentication
550 bounce messages to this address are invalid
550 This address never sends mail, so no bounces
550 this address does not send mail; invalid bounce
550 Recipient does not want html mail
550 attachment type invalid for recipient
550 header To: contains an invalid address
550 invalid address in From header
550 no valid address in To header
550 Undisclosed recipients not accepted
550 Recipient list is invalid: missing To header
550 No recipients in header
550 Your IP address does not exist in our whitelist
550 server not found in whitelist
550 URL invalid
550 Link to unknown domain found in message
550 message contains invalid domain links
550 From domain does not exist
550 reply-to domain not found
550 Return-Path domain does not exist
550 envelope sender domain unknown
550 message-id domain invalid
550 5.7.1 Kein Empfang von externen Absendern
550 Empfänger nimmt keine Mails von unbekannten Absendern an
550 Le destinataire n'accepte pas les messages d'expéditeurs inconnus
550 El destinatario no acepta mensajes de remitentes desconocidos
550 Absender unbekannt
550 expéditeur inconnu du destinataire
550 remitente desconocido
550 This address is blocked for external senders
550 User has blocked your address
550 Your domain is suspended
550 Sending domain expired
550 Your subscription has expired
550 Your server's address has been disabled at our gateway
550 Recipient has disabled mail from mailing lists
550 user disabled reception of messages of this type
550 Account has disabled receiving mail from strangers
550 mailbox closed to non-contacts
550 relay account suspended
550 domain suspended by filter provider because of unpaid licence
550 inactive domain in our mail filter
550 domain is not active on this gateway
550 Service for this domain is suspended
550 Forwarding disabled for this sender
550 recipient group is disabled for external mail
550 your account is frozen due to spam complaints
550 We have moved: use smtp.example.com to send
550 Our blocklist has moved to a new address
550 message expired signature
550 DKIM signature expired
550 certificate expired
550 SPF record of your domain does not exist
550 rDNS for your IP does not exist
550 PTR not found
550 MX for sender domain not found
550 no MX for the sender's domain
550 A record of your hostname not found
550 route to your host not found
550 Invalid domain in From
550 Invalid domain in HELO
550 Domain of Return-Path invalid
550 5.1.8 domain does not exist
550 5.1.8 host unknown
553 5.1.8 not existing domain
550 sender unknown
550 invalid sender domain
550 unknown sender domain or no MX
550 We do not know you
550 Unknown client
550 unknown host name presented
550 unregistered sender
550 You are not registered with us
550 IP not registered
550 server not registered in our whitelist
550 not a valid source address
550 bad return address
550 wrong sender
550 wrong domain
550 No valid PTR
550 No valid SPF
550 not in our directory of trusted servers
550 your IP is not in our database
550 domain not in our list
550 Recipient limit exceeded: unknown users
550 user has too many unknown recipients
550 mail for this user goes through the gateway only
550 recipient must be reached through mx1.example.com
550 this user does not receive newsletters
550 no bulk mail for this user
550 unknown content type
550 unknown character set
550 unknown attachment
550 invalid attachment name
550 invalid subject
550 unknown virus in attachment
550 Not found in sender whitelist
550 no such message class accepted
550 5.7.1 User not authorized to receive mail from outside
550 5.7.1 This mailbox is not allowed to receive external messages
550 5.7.1 Recipient not permitted to receive mail from this sender
550 Mail to this user is restricted to known contacts
550 Mailbox does not accept messages from you
550 This user does not want mail from you
550 User has no permission for external e-mail
550 recipient is not reachable for bulk senders
550 user rejects messages from unauthenticated senders
550 mailbox owner does not allow messages of this size
550 your mail to this user was refused as unknown bulk
550 unknown error while checking recipient
550 recipient could not be checked, try later
550 could not verify recipient at this time
451 unable to verify user at this time
550 user lookup failed, server busy
550 recipient directory not available
550 LDAP lookup of recipient failed
550 5.1.1 directory server down
550 unknown user database error
550 mailbox server unknown error
550 mailbox database not found
550 user store not available
550 No mailbox server available
550 unable to open mailbox
550 cannot access mailbox of user
550 mailbox is busy
550 mailbox locked by another process
550 mailbox is being moved, try again
550 user's mailbox is being migrated
550 account is temporarily unavailable
550 address verification failed: sender host refused our probe
550 Recipient verification failed: greylisted by your server
550 callout to your server failed
550 message for unknown content policy
550 No rule permits this recipient from your IP
550 Your organisation is not allowed to contact this user
550 User opted out of your mails
550 Recipient has unsubscribed from all mail of this domain
550 invalid recipient count
550 invalid number of recipients
550 wrong number of recipients per message
550 maximum recipients invalid
550 invalid RCPT command
550 bad RCPT syntax, user must authenticate
550 unknown command
550 unknown option in RCPT
550 address family not supported
550 IP address invalid
550 invalid client address
550 no such address record for your host
550 unknown address in EHLO
550 not a valid client name
550 no such certificate
550 no user certificate found
550 user certificate expired
550 S/MIME: recipient certificate not found
550 key for recipient not found, encrypted mail required
550 Licence for this user's spam filter expired
550 user not covered by licence
550 mailbox not provisioned in this filter
550 domain not provisioned here
550 user has exceeded allowed number of contacts
550 account limit: this user does not accept more than 10 mails
550 Nicht zugelassener Absender für diesen Empfänger
550 Dieser Empfänger akzeptiert nur interne Absender
550 Empfänger hat Sie blockiert
550 Ihr Konto existiert nicht
550 Unbekannter Fehler beim Empfänger
550 Ungültige Absenderadresse, Empfänger nicht erreichbar
550 Compte expéditeur inconnu
550 Votre compte n'existe pas
550 Destinataire non autorisé pour vous
550 adresse IP inconnue
550 El usuario no desea recibir su correo
550 cuenta del remitente no existe
550 usuario no autorizado
550 dirección IP no válida
550 endereço IP inválido
550 usuário não autorizado
550 utente non autorizzato
550 indirizzo IP non valido
550 adres IP ongeldig
550 adres IP jest nieprawidłowy
550 IP-адрес не найден
550 адрес отправителя не найден
550 пользователь не принимает почту от вас
550 送信元アドレスが存在しません
550 IPアドレスが不明です
550 发件人不存在
550 IP地址无效
""".strip().splitlines()


@pytest.mark.parametrize("text", _TEXTS)
def test_refusal_for_another_reason_is_no_sure_dead_address(classifier: Classifier, text: str) -> None:
    found = classifier.classify(Reply(text=text))
    assert found.group != Group.RECIPIENT or found.doubt is not Doubt.NONE
