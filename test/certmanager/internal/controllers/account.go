package controllers

import (
	"context"
	"fmt"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// account is the name of the ServiceAccount and of what gives it permissions.
const account = "cert-manager"

// tokenSeconds is how long the controllers' token is valid: longer than any test runs.
const tokenSeconds = 24 * 3600

// Account makes cert-manager's namespace, its ServiceAccount and its permissions, as
// the administrator of the kubeconfig, and writes a kubeconfig of that account into
// dir. What exists already is used as it is, but for the permissions. It returns the
// new kubeconfig's path.
func Account(ctx context.Context, kubeconfig, dir string) (string, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", fmt.Errorf("preparing the client: %w", err)
	}
	if err := install(ctx, client); err != nil {
		return "", fmt.Errorf("making cert-manager's account: %w", err)
	}
	seconds := int64(tokenSeconds)
	token, err := client.CoreV1().ServiceAccounts(Namespace).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking for cert-manager's token: %w", err)
	}
	own, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if err := clientcmdapi.MinifyConfig(own); err != nil {
		return "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	for name := range own.AuthInfos {
		own.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	}
	path := filepath.Join(dir, "controllers.kubeconfig") // which WriteToFile lets only its owner read
	if err := clientcmd.WriteToFile(*own, path); err != nil {
		return "", fmt.Errorf("writing cert-manager's kubeconfig: %w", err)
	}
	return path, nil
}

// install creates what is missing.
func install(ctx context.Context, client kubernetes.Interface) error {
	name := metav1.ObjectMeta{Name: account}
	if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}},
		metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("the namespace: %w", err)
	}
	if _, err := client.CoreV1().ServiceAccounts(Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: name},
		metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("the ServiceAccount: %w", err)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: name, Rules: rules()}
	_, err := client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = client.RbacV1().ClusterRoles().Update(ctx, role, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("the ClusterRole: %w", err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: name,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: account},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: Namespace, Name: account}},
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("the ClusterRoleBinding: %w", err)
	}
	return nil
}
