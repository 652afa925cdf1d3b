"""Mail and text messages: their texts, the queue of mails, sending by SMTP and Twilio, and the development inbox."""
